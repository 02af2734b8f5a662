"""docs/results.md: docs/results.in.md with the tables of benchmarks/results/ filled in.

Written by `python benchmarks/evidence.py page`; how each table was made stands below it.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pastforward.comparing.results import Line, Row, Spread, aggregate
from pastforward.comparing.table import count, figures, percents

ROOT = Path(__file__).parent.parent
RESULTS, DOCS = ROOT / "benchmarks" / "results", ROOT / "docs"
LEVEL = 0.01
"""Nats by which two ways must differ before one is called the better."""


def read(name: str) -> list[dict[str, Any]]:
    path = RESULTS / f"evidence-{name}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def table(lines: Iterable[Line]) -> Iterable[str]:
    """Losing settings like winning ones; the floor is the loss of the best possible predictor."""
    yield (
        "| task | network | trained by | nats | right | teacher nats | floor | weights "
        "| M positions | serial cell calls | n |"
    )
    yield "|---" * 11 + "|"
    for line in lines:
        one = line.setting
        floor = line.floors.get("best", line.floors.get("unigram"))
        yield (
            f"| {one.task} | {one.cell} | {one.way} | {figures(line.nats, 3)} "
            f"| {percents(line.accuracy)} | {figures(line.teacher, 3)} "
            f"| {'-' if floor is None else f'{floor:.3f}'} | {line.parameters or 0:,} "
            f"| {mean(line.tokens, 1e6):.1f} | {mean(line.calls, 1.0):,.0f} | {count(line)} |"
        )


def mean(found: Spread | None, unit: float) -> float:
    return (found.mean if found else 0.0) / unit


def side_by_side(lines: Sequence[Line]) -> Iterable[str]:
    """A row for each task, T and cell, BPTT beside SMT then DMT; the better of the two is bold."""
    yield "| task | T | cell | BPTT right | nats | SMT then DMT right | nats | its teacher's nats |"
    yield "|---" * 8 + "|"
    by_way = {(line.setting.task, line.setting.cell, line.setting.way): line for line in lines}
    for task, cell in sorted({asked[:2] for asked in by_way}, key=order):
        pair = [by_way.get((task, cell, way)) for way in ("bptt", "smt+dmt")]
        shown = [["-", "-"] if line is None else [percents(line.accuracy), figures(line.nats, 3)]
                 for line in pair]  # fmt: skip
        found = [line.nats.mean if line and line.nats else float("inf") for line in pair]
        if LEVEL < abs(found[0] - found[1]) < float("inf"):
            better = found.index(min(found))
            shown[better][0] = f"**{shown[better][0]}**"
        teacher = figures(pair[1].teacher, 3) if pair[1] else "-"
        family, length, _ = order((task, cell))
        yield f"| {' | '.join([family, str(length), cell, *shown[0], *shown[1], teacher])} |"


def order(asked: tuple[str, str]) -> tuple[str, int, str]:
    """Family, T and cell."""
    family, _, axes = asked[0].partition(":")
    return family, int(axes.partition(",")[0]), asked[1]


def by_memory(names: Iterable[str]) -> Iterable[str]:
    """Loss and symbols right for each size of memory, way and budget in seconds."""
    found = {}
    for name in names:
        width, seconds = map(int, name.split("-")[1:])
        for line in aggregate([Row(**row) for row in read(name)]):
            found[8 * width, line.setting.way, seconds] = line
    budgets = sorted({seconds for _, _, seconds in found})
    yield "| numbers | trained by | " + " | ".join(f"{s} s: right | nats" for s in budgets) + " |"
    yield "|---" * (2 + 2 * len(budgets)) + "|"
    for size, way in sorted({(size, way) for size, way, _ in found}):
        lines = [found.get((size, way, seconds)) for seconds in budgets]
        shown = [f"{percents(line.accuracy)} | {figures(line.nats, 3)}" if line else "- | -"
                 for line in lines]  # fmt: skip
        yield f"| {size} | {way} | {' | '.join(shown)} |"


def lengths_table(rows: list[dict[str, Any]]) -> Iterable[str]:
    """Symbols right at T, 2T, ... of runs that were trained at T, and of their teachers."""
    factors = (1, 2, 4, 8, 16)
    yield "| trained on | by | who | T | " + " | ".join(f"{n}T" for n in factors[1:]) + " |"
    yield "|---" * (3 + len(factors)) + "|"
    for row in rows:
        _, task, _, way, _ = row["run"].split("/")
        for who in ("student", "teacher"):
            if row["facts"][0][who] is None:
                continue
            right = [f"{at[who]['accuracy']:.1%}" for at in row["facts"]]
            right += ["-"] * (len(factors) - len(right))
            yield f"| {task} | {way} | {who} | {' | '.join(right)} |"


def states_table(rows: list[dict[str, Any]]) -> Iterable[str]:
    """How well a linear probe reads the task's true state from memories."""
    yield "| task | trained by | state | student | labels | untrained | most frequent |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        _, task, _, way, _ = row["run"].split("/")
        for state, probes in row["facts"].items():
            right = [f"{probes[who]['accuracy']:.1%}" if who in probes else "-"
                     for who in ("student", "labels", "untrained")]  # fmt: skip
            often = f"{probes['student']['majority']:.1%}"
            yield f"| {task} | {way} | {state} | {' | '.join(right)} | {often} |"


def section(*names: str, beside: bool = False) -> str:
    """The table of comparisons, how they were made and on what; or that they were not made."""
    missing = [name for name in names if not read(name)]
    if missing:
        return f"not run yet (`python benchmarks/evidence.py {' '.join(missing)}`)."
    rows = [Row(**row) for name in names for row in read(name)]
    lines = aggregate(rows)
    drawn = side_by_side(lines) if beside else table(lines)
    return "\n".join([*drawn, "", *(made(name) for name in names)])


def frontier(names: Sequence[str]) -> str:
    """The table of `by_memory` and how it was made, in full."""
    if not all(read(name) for name in names):
        return f"not run yet (`python benchmarks/evidence.py {' '.join(names)}`)."
    return "\n".join([*by_memory(names), "", *(made(name) for name in names)])


def made(name: str) -> str:
    """By what command, with which seeds, on what and when."""
    rows = [Row(**row) for row in read(name)]
    done = [row for row in rows if row.seconds is not None]
    where = ", ".join(sorted({f"{row.hardware}, {row.date}" for row in done}))
    seeds = ", ".join(str(seed) for seed in sorted({row.seed for row in done}))
    file = f"benchmarks/results/evidence-{name}.json"
    return f"`{rows[0].command}`\n(seed(s) {seeds}; {where}; `{file}`)\n"


def analyses(question: str) -> str:
    """The table of a question asked of several runs."""
    rows = [row for row in read("analyses") if row["question"] == question]
    if not rows:
        return "not asked yet (`python benchmarks/evidence.py analyses`)."
    drawn = {"lengths": lengths_table, "geometry": states_table}[question](rows)
    where = ", ".join(sorted({f"{row['hardware']}, {row['date']}" for row in rows}))
    file = "benchmarks/results/evidence-analyses.json"
    notes = f"`python benchmarks/evidence.py analyses` (seed 0; {where}; `{file}`)"
    return "\n".join([*drawn, "", notes])


def write_page(
    parts: Iterable[str], beside: dict[str, Sequence[str]], sizes: Iterable[str],
    questions: Iterable[str],
) -> None:  # fmt: skip
    """A table for each comparison; for those `beside` each other; of `sizes`; of questions."""
    text = (DOCS / "results.in.md").read_text()
    for name in parts:
        text = text.replace(f"{{{name}}}", section(name))
    for name, compared in beside.items():
        text = text.replace(f"{{{name}}}", section(*compared, beside=True))
    text = text.replace("{frontier}", frontier(list(sizes)))
    for question in questions:
        text = text.replace(f"{{{question}}}", analyses(question))
    (DOCS / "results.md").write_text(text)
    print(f"Page: {DOCS / 'results.md'}")
