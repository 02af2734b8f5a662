"""L5. One self-contained page about a grid, whole or as far as it is."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pastforward.runs.comparison import charts
from pastforward.runs.comparison.record import Record
from pastforward.runs.comparison.results import Line, Row, aggregate, best_of
from pastforward.runs.comparison.table import cells, count, figures, references_of, percents
from pastforward.report.templates import template
from pastforward.report.summary import NOTHING, number, percent
from pastforward.files import write_atomically

_HEAD = (
    "cell", "trained by", "nats", "correct", "teacher's nats", "n", "seconds", "serial calls",
    "weights", "rates by stage",
)  # fmt: skip
_RUN_HEAD = ("run", "state", "nats", "correct", "seconds", "tokens", "steps", "serial calls")


def write_page(root: Path, record: Record, rows: Sequence[Row], out: Path) -> Path:
    """Write the page to `out` and return its path; raises `UsageError` when it can't."""
    write_atomically(out, render(root, record, rows).encode())
    return out


def render(root: Path, record: Record, rows: Sequence[Row]) -> str:
    """The page as text."""
    lines = aggregate(rows)
    costs = charts.by_cost(root, rows, lines)
    found = charts.looks(lines)
    return template("comparison.html").render(
        title=root.name,
        states=_states(rows),
        hardware=", ".join(dict.fromkeys(row.hardware for row in rows if row.hardware)),
        command=record.command,
        looks=[(f"{cell} {strategy}", look) for (cell, strategy), look in found.items()],
        lengths=charts.by_length(record, lines),
        head=_HEAD,
        tasks=[_task(task, lines, costs[task]) for task in record.grid.tasks],
        rates=_rates(root) if record.grid.factors else [],
        run_head=_RUN_HEAD,
        runs=[_run(row) for row in rows],
    )


def _states(rows: Sequence[Row]) -> str:
    counted = Counter(row.state for row in rows)
    return ", ".join(f"{number} {state}" for state, number in counted.items())


def _task(task: str, lines: Sequence[Line], drawn: Sequence[charts.Chart]) -> dict[str, Any]:
    own = [line for line in lines if line.setting.task == task]
    winners, look = best_of(lines), charts.looks(lines)
    return {
        "name": task,
        "references": ", ".join(f"{nats:.4f} nats ({names})" for nats, names in references_of(lines, task)),
        "lines": [
            (line.setting in winners, look[line.setting.cell, line.setting.strategy].colour, _line(line))
            for line in own
        ],
        "charts": drawn,
    }


def _line(line: Line) -> tuple[str, ...]:
    return (
        *cells(line)[1:3],
        figures(line.nats, 4),
        percents(line.accuracy),
        figures(line.teacher, 4),
        count(line) + (f", {line.failed} failed" if line.failed else ""),
        NOTHING if line.seconds is None else number(line.seconds.mean, 0),
        NOTHING if line.calls is None else number(line.calls.mean, 0),
        number(line.parameters, 0),
        ", ".join(f"{lr:.2g}" for lr in line.lr) or NOTHING,
    )


def _run(row: Row) -> tuple[str, ...]:
    return (
        row.folder,
        row.state if row.error is None else f"{row.state}: {row.error}",
        number(row.nats, 4),
        percent(row.accuracy),
        number(row.seconds, 1),
        number(row.tokens, 0),
        number(row.steps, 0),
        number(row.calls, 0),
    )


def _rates(root: Path) -> list[dict[str, Any]]:
    """What the search tried, once it is through."""
    path = root / "rates.json"
    return json.loads(path.read_text()) if path.exists() else []
