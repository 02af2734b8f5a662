"""Write docs/ship.md from docs/ship.in.md and rows of results.

python -m benchmarks.speed ship --threads 1 --json benchmarks/results/bench-ship.json
python -m benchmarks.studies.torch_cells
python -m benchmarks.studies.ship
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from benchmarks.paths import DOCS, RESULTS
from benchmarks.speed import BENCHES
from benchmarks.studies.files import read_lines
from benchmarks.studies.performance import load, number, origin
from benchmarks.studies.torch_cells import PAIRS, PATH, SECONDS

Rows = list[dict[str, Any]]
FILE = "bench-ship"
GRU = "nn.GRU, step by step"


def ship_table(rows: Rows) -> Iterable[str]:
    """A row for each cell and way to run it."""
    yield "| cell | how it runs | differs by | over steps | KB | us a step | eager: us a step |"
    yield "|---|---|---|---|---|---|---|"
    for row in sorted(rows, key=lambda row: BENCHES["ship"].cases.index(_cell(row))):
        way, facts = row["case"].partition(": ")[2], row["facts"]
        if way == GRU:
            continue
        yield (
            f"| {_cell(row)} | {way} | {facts['difference']:.1e} | {facts['steps']:,} "
            f"| {facts['bytes'] / 1e3:,.0f} | {number(row['ours'])} | {number(row['rival'])} |"
        )
    yield ""
    times = sorted(row["ours"] for row in rows if row["case"].endswith(GRU))
    yield (
        f"`nn.GRU` of 128 in plain PyTorch, a step a call, beside each of them: {number(times[0])} "
        f"to {number(times[-1])} us a step."
    )


def _cell(row: dict[str, Any]) -> str:
    return row["case"].partition(":")[0]


def torch_cells_table(rows: Rows) -> Iterable[str]:
    """Our own cell beside that of torch on each task, and whether the aim is met."""
    yield "| task | CPU seconds | cell | nats an output | right | its teacher, nats | steps | aim |"
    yield "|---|---|---|---|---|---|---|---|"
    found: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in rows:
        found[row["task"], row["cell"]].append(row)
    for task, seconds in SECONDS.items():
        for own, other in PAIRS.values():
            for cell in (own, other):
                same = found[task, cell]
                if same:
                    met = "" if cell == own else _met(found[task, own], same)
                    yield f"| {task} | {seconds:g} | {_line(cell, same)} | {met} |"


def _line(cell: str, rows: Rows) -> str:
    nats, right, teacher = (
        " ".join(f"{row[key]:{form}}" for row in rows)
        for key, form in (("nats", ".4f"), ("accuracy", ".1%"), ("teacher_nats", ".4f"))
    )
    return f"{cell} | {nats} | {right} | {teacher} | {' '.join(str(row['steps']) for row in rows)}"


def _met(own: Rows, other: Rows) -> str:
    """Within 2 points of outputs that are right, or 2% of the nats."""
    if not own:
        return "not run"
    nats, right = ([_mean(rows, key) for rows in (own, other)] for key in ("nats", "accuracy"))
    return "met" if nats[1] <= 1.02 * nats[0] or right[1] >= right[0] - 0.02 else "**no**"


def _mean(rows: Rows, key: str) -> float:
    return sum(row[key] for row in rows) / len(rows)


def filled(text: str) -> str:
    """The text with its tables, or that they were not made."""
    shipped = load(FILE) if (RESULTS / f"{FILE}.json").exists() else []
    trained = read_lines(PATH)
    fill = {
        "ship": ship_table(shipped) if shipped else ["not run yet."],
        "ship origin": [origin(shipped) if shipped else "not run yet"],
        "torch cells": torch_cells_table(trained) if trained else ["not run yet."],
        "torch cells origin": [origin(trained) if trained else "not run yet"],
    }
    for place, lines in fill.items():
        text = text.replace(f"{{{place}}}", "\n".join(lines).rstrip())
    return text


def main() -> None:
    """Write the page."""
    path = DOCS / "ship.md"
    path.write_text(filled((DOCS / "ship.in.md").read_text()))
    print(f"Page: {path}")


if __name__ == "__main__":
    main()
