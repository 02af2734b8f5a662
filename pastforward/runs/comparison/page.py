"""L6. One self-contained page about a comparison, whole or as far as it is."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pastforward.errors import UsageError
from pastforward.files import read_json
from pastforward.report import templates
from pastforward.report.formats import number, percent, seconds_text
from pastforward.report.tables import Line, Table
from pastforward.runs.comparison import charts
from pastforward.runs.comparison.record import Record
from pastforward.runs.comparison.results import Row, aggregate
from pastforward.runs.comparison.table import grid_table

_RUN_HEAD = ("run", "state", "loss", "correct", "time", "tokens", "steps", "serial calls")
_RATES_HEAD = ("task", "cell", "method", "factor: held-out", "chosen")


def write_page(root: Path, record: Record, rows: Sequence[Row], out: Path) -> Path:
    """Write the page to `out` and return its path; raises `UsageError` when it can't."""
    lines = aggregate(rows)
    looks = charts.looks(lines)
    costs = charts.by_cost(root, rows, looks)
    colours = {pair: look.colour for pair, look in looks.items()}
    tasks = []
    for task in record.grid.tasks:
        table = grid_table([line for line in lines if line.setting.task == task], colours)
        shown = table.without("task").without_empty()
        tasks.append({"name": task, "table": shown, "charts": costs.get(task, [])})
    return templates.write_page(
        out,
        "comparison.html",
        title=root.name,
        states=", ".join(f"{n} {state}" for state, n in Counter(row.state for row in rows).items()),
        hardware=", ".join(dict.fromkeys(row.hardware for row in rows if row.hardware)),
        command=record.command,
        looks=[(f"{cell} {strategy}", look) for (cell, strategy), look in looks.items()],
        lengths=charts.by_length(record, lines),
        tasks=tasks,
        rates=_rates(root) if record.grid.factors else None,
        runs=Table(_RUN_HEAD, [Line(_run(row)) for row in rows], names=2),
    )


def _run(row: Row) -> tuple[str, ...]:
    return (
        row.folder,
        row.state if row.error is None else f"{row.state}: {row.error}",
        number(row.nats, 4),
        percent(row.accuracy),
        seconds_text(row.seconds),
        number(row.tokens, 0),
        number(row.steps, 0),
        number(row.calls, 0),
    )


def _rates(root: Path) -> Table | None:
    """What the search of learning rates tried, once it is through."""
    path = root / "rates.json"
    try:
        lines = [Line(_rate(choice)) for choice in read_json(path)] if path.exists() else []
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path} can't be read ({error}); remove it and --resume.") from error
    return Table(_RATES_HEAD, lines, names=4) if lines else None


def _rate(choice: dict[str, Any]) -> tuple[str, ...]:
    tried = [
        f"{one['factor']:g}: " + ("failed" if one["valid"] is None else number(one["valid"], 4))
        for one in choice["tried"]
    ]
    factor = "none, so 1" if choice["factor"] is None else f"{choice['factor']:g}"
    edge = ", at an edge" if choice["at_edge"] else ""
    return choice["task"], choice["cell"], choice["strategy"], ", ".join(tried), factor + edge
