"""Write docs/performance.md and its figures from the rows of benchmarks.speed.

python -m benchmarks.speed --json benchmarks/results/bench.json
python -m benchmarks.speed store time-to-loss --threads 1 --json benchmarks/results/bench-long.json
python -m benchmarks.speed bptt --json benchmarks/results/bench-again.json
python -m benchmarks.speed large-text --threads 1 --json benchmarks/results/bench-large.json
python -m benchmarks.speed newton --threads 1 --json benchmarks/results/bench-newton.json
python -m benchmarks.studies.cost_model
python -m benchmarks.studies.time_axis
python -m benchmarks.studies.performance

Rows of bench-again.json take the place of those of the same benchmark in bench.json.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.paths import DOCS, RESULTS
from benchmarks.speed import BENCHES
from benchmarks.studies.files import read_lines
from benchmarks.studies.time_axis import SIDES

Rows = list[dict[str, Any]]
NOT_RUN = "no rows yet"
CALLS = {"hardware": "bench", "long-hardware": "bench-long", "again-hardware": "bench-again",
         "large-hardware": "bench-large", "newton-hardware": "bench-newton"}  # fmt: skip
"""Files of results, by the place of their origin in the text."""


def number(value: float) -> str:
    """Three digits, without powers of ten."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Rows) -> Iterable[str]:
    """Rows of a benchmark, and below them what bounds each."""
    if not rows:
        yield f"{NOT_RUN}."
        return
    yield "| case | ours | rival | unit | ratio (quartiles) | target | met |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        low, high = row["spread"]
        ratio = f"{number(row['ratio'])} ({number(low)} - {number(high)})"
        target = "" if row["target"] is None else f"{row['sense']} {number(row['target'])}"
        met = {True: "yes", False: "**no**", None: ""}[row["met"]]
        yield (
            f"| {row['case']} | {number(row['ours'])} | {number(row['rival'])} | {row['unit']} "
            f"| {ratio} | {target} | {met} |"
        )
    yield ""
    yield from dict.fromkeys(f"- {row['case']}: {row['bound']}." for row in rows if row["bound"])
    yield ""


def against_length(rows: Rows, unit: str, path: Path) -> None:
    """A line for each cell and side, over T."""
    lines: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        found = re.match(r"(\w+) cell, T = (\d+)$", row["case"])
        if found:
            for side in ("ours", "rival"):
                lines[found[1], side].append((int(found[2]), row[side]))
    colours = dict(zip(dict.fromkeys(cell for cell, _ in lines), ("C0", "C1", "C2"), strict=False))
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    for (cell, side), points in lines.items():
        style, who = ("-", "SMT") if side == "ours" else ("--", "BPTT")
        x, y = zip(*sorted(points), strict=True)
        axes.loglog(x, y, style, color=colours[cell], marker="o", label=f"{cell}, {who}")
    axes.set(xlabel="T", ylabel=unit)
    axes.grid(True, which="both", alpha=0.2)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110, bbox_inches="tight")


def cost_table(rows: Rows) -> Iterable[str]:
    """Parts of a joint step: counted beside measured."""
    yield "| part | M multiplications | KiB kept | us measured | G multiplications/s |"
    yield "|---|---|---|---|---|"
    for row in rows:
        rate = 3 * row["macs"] / row["microseconds"] / 1e3
        yield (
            f"| {row['part']} | {row['macs'] / 1e6:.3f} | {row['kept_bytes'] / 1024:.1f} "
            f"| {row['microseconds']:.1f} | {rate:.0f} |"
        )


def staleness_table(rows: Rows) -> Iterable[str]:
    """Nats of the student alone by window and replay steps, one number for each seed."""
    found: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "train":
            window = "-".join(map(str, row["windows"]))
            found[row["task"], window, row["replay_steps"]].append(row["nats"])
    yield "| task | k | replay steps | nats alone, one number a seed |"
    yield "|---|---|---|---|"
    for (task, window, replay_steps), nats in sorted(found.items(), key=lambda item: str(item[0])):
        yield f"| {task} | {window} | {replay_steps} | {' '.join(f'{n:.3f}' for n in nats)} |"


def time_axis_table(rows: Rows) -> Iterable[str]:
    """Measured rows, BPTT among them."""
    yield "| T | ranks | step of | s a step | CPU s of each rank | MiB of each rank | load |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        if row["side"] == "model":
            continue
        if "failed" in row:
            told = f"given up: {row['failed']} | | "
        else:
            parts = (", ".join(map(number, row[name])) for name in ("cpu", "mebibytes"))
            told = " | ".join([number(row["seconds"]), *parts])
        yield (
            f"| {row['length']:,} | {row['ranks']} | {SIDES[row['side']]} | {told} "
            f"| {row['load']:.0f} |"
        )


def time_model_table(rows: Rows) -> Iterable[str]:
    """Counts and what follows from them, beside CPU seconds and memory where they were measured."""
    yield (
        "| T | P | G multiplications a rank | KiB sent | CPU s a rank | measured "
        "| MiB a rank | measured |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    known = {(r["length"], r["ranks"]): r for r in rows if r["side"] == "smt" and "cpu" in r}
    for row in rows:
        if row["side"] != "model":
            continue
        measured = known.get((row["length"], row["ranks"]))
        cpu, kept = (
            number(max(measured[name])) if measured else "" for name in ("cpu", "mebibytes")
        )
        yield (
            f"| {row['length']:,} | {row['ranks']} | {row['macs'] / 1e9:.3g} "
            f"| {row['sent'] / 1024:.0f} | {number(row['seconds'])} | {cpu} "
            f"| {number(row['mebibytes'][0])} | {kept} |"
        )


def origin(rows: Rows) -> str:
    """Machine, threads, versions and date of rows that were made in one call."""
    if not rows:
        return NOT_RUN
    row = rows[0]
    torch = f", torch {row['torch']}" if row["torch"] else ""
    commit = f", commit {row['commit'][:7]}" if row["commit"] else ""
    return f"{row['hardware']}, {row['threads']} thread(s){torch}{commit}, {row['date']}"


def load(name: str) -> Rows:
    """The rows of a file; none where it was not made."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def by_benchmark() -> dict[str, Rows]:
    """All rows by name; those of a later call take the place of earlier ones."""
    rows: dict[str, Rows] = {}
    for found in map(load, CALLS.values()):
        for name in dict.fromkeys(row["name"] for row in found):
            rows[name] = [row for row in found if row["name"] == name]
    return rows


def filled(text: str) -> str:
    """The text with tables and origins in place of what it names in braces."""
    rows, costs, axis = by_benchmark(), load("cost-model"), load("time-axis")
    fill = {place: [origin(load(name))] for place, name in CALLS.items()} | {
        "cost-hardware": [origin(costs)],
        "staleness": staleness_table(read_lines(RESULTS / "onpolicy.jsonl")),
        "cost-model": cost_table(costs),
        "time-axis": time_axis_table(axis),
        "time-model": time_model_table(axis),
        "time-hardware": [origin(axis)],
    } | {name: table(rows.get(name, [])) for name in BENCHES}  # fmt: skip
    for place, lines in fill.items():
        text = text.replace(f"{{{place}}}", "\n".join(lines).rstrip())
    return text


def main() -> None:
    """Write the page and both figures."""
    rows, path = by_benchmark(), DOCS / "performance.md"
    against_length(rows["bptt"], "microseconds a token", DOCS / "performance-time.png")
    against_length(rows["memory"], "MiB a step", DOCS / "performance-memory.png")
    path.write_text(filled((DOCS / "performance.in.md").read_text()))
    print(f"Page: {path}")


if __name__ == "__main__":
    main()
