"""The tables of extrapolation in docs/results.md, from benchmarks/results/extrapolation.jsonl."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.studies.extrapolation import LENGTHS, PATH, STREAMED
from benchmarks.studies.files import read_lines
from pastforward.runs.comparison.grid import SEARCH_SEED

Rows = Sequence[dict[str, Any]]
_SHOWN = (*LENGTHS, STREAMED)


def extrapolation_table() -> str:
    """Outputs right by task, network and length, means over seeds; then how they were made."""
    rows = [row for row in read_lines(PATH) if row["seed"] != SEARCH_SEED]
    if not rows:
        return "not run yet (`python -m benchmarks.studies.extrapolation`)."
    head = ("task", "seconds", "trained by", "seeds", *(f"{n:,}" for n in _SHOWN))
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        key = (row["task"], row["seconds"], row["method"], row["cell"])
        groups.setdefault(key, []).append(row)
    lines = [line for key in sorted(groups, key=str) for line in _lines(key, groups[key])]
    made = dict.fromkeys(f"`{row['command']}`" for row in rows)
    where = ", ".join(sorted({f"{row['hardware']}, {row['date']}" for row in rows}))
    note = f"{', '.join(made)}\n(seconds of CPU time, one thread; {where}; "
    note += f"`benchmarks/results/{PATH.name}`)"
    return "\n".join([_cells(head), _cells("---" for _ in head), *lines, "", note])


def _lines(key: tuple, rows: Rows) -> Iterable[str]:
    task, seconds, method, cell = key
    name = cell if method == "parallel" else f"{method}, {cell}"
    yield _line((task, f"{seconds:g}", name), rows, "accuracy")
    if rows[0]["teacher"]:
        yield _line((task, f"{seconds:g}", "its teacher, linear over time"), rows, "teacher")


def _line(names: Iterable[str], rows: Rows, figure: str) -> str:
    shown = []
    for n in map(str, _SHOWN):
        found = [row[figure][n] for row in rows if n in row[figure]]
        shown.append(f"{sum(found) / len(found):.1%}" if found else "-")
    return _cells([*names, str(len(rows)), *shown])


def _cells(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"
