"""L5. The table of a grid for the console."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from pastforward.runs.comparison.results import Line, Spread, best_of
from pastforward.report.summary import NOTHING, number

HEAD = ("task", "cell", "trained by", "nats", "correct", "time", "n")


def grid_table(lines: Sequence[Line]) -> Table:
    """Means over seeds ± their standard deviation; losing settings are shown like winning ones."""
    table = Table(
        title="Held-out loss per output, students alone: mean ± deviation of n seeds",
        caption=_failures(lines),
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left",
        caption_justify="left",
    )  # fmt: skip
    for place, name in enumerate(HEAD):
        table.add_column(name, justify="right" if place > 2 else "left", no_wrap=place > 0)
    winners = best_of(lines)
    for place, line in enumerate(lines):
        style = "bold green" if line.setting in winners else ""
        table.add_row(*cells(line), style=style)
        if place + 1 == len(lines) or lines[place + 1].setting.task != line.setting.task:
            for nats, names in references_of(lines, line.setting.task):
                name = "references" if "," in names else f"{names} floor"
                table.add_row("", "", name, number(nats, 4), style="dim")
            table.add_section()
    return table


def cells(line: Line) -> tuple[str, ...]:
    """A line as text, in the order of `HEAD`."""
    setting = line.setting
    return (
        setting.task,
        setting.cell,
        setting.strategy,
        figures(line.nats, 4),
        percents(line.accuracy),
        NOTHING if line.seconds is None else f"{line.seconds.mean:,.0f} s",
        count(line),
    )


def references_of(lines: Sequence[Line], task: str) -> list[tuple[float, str]]:
    """Floors of a task and their names, those that are alike together, least first."""
    own = (line.references for line in lines if line.setting.task == task)
    references = next((found for found in own if found), {})
    names = {nats: sorted(n for n in references if references[n] == nats) for nats in references.values()}
    return [(nats, ", ".join(names[nats])) for nats in sorted(names)]


def count(line: Line) -> str:
    """Seeds that are in the mean, of those that were planned."""
    whole = line.finished == line.planned
    return str(line.finished) if whole else f"{line.finished} of {line.planned}"


def figures(spread: Spread | None, digits: int) -> str:
    """Mean ± deviation."""
    if spread is None:
        return NOTHING
    mean = number(spread.mean, digits)
    return mean if spread.deviation is None else f"{mean} ± {spread.deviation:.{digits}f}"


def percents(spread: Spread | None) -> str:
    """Mean ± deviation in percent."""
    if spread is None:
        return NOTHING
    hundred = Spread(100 * spread.mean, spread.deviation and 100 * spread.deviation)
    return f"{figures(hundred, 1)}%"


def _failures(lines: Sequence[Line]) -> str | None:
    failed = [f"{line.setting} ({line.failed})" for line in lines if line.failed]
    return f"Failed runs, in no mean: {', '.join(failed)}" if failed else None
