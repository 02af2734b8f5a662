"""L6. The table of a comparison, for the console and for its page."""

from collections.abc import Mapping, Sequence

from pastforward.analysis.metrics import METRICS
from pastforward.report.formats import NOTHING, number, percent, seconds_text
from pastforward.report.labels import metric_text
from pastforward.report.summary import distinct_references, reference_label, unhelpful, unit_of
from pastforward.report.tables import Line as TableLine
from pastforward.report.tables import Table
from pastforward.runs.comparison.results import Duel, Line, Spread, best_of, duel

HEAD = (
    "task", "cell", "method", "loss", "bits/byte", "correct", "selected by", "time", "n",
    "teacher's loss", "serial calls", "weights", "rates by stage",
)  # fmt: skip


def grid_table(
    lines: Sequence[Line], colours: Mapping[tuple[str, str], str] | None = None
) -> Table:
    """Means over seeds ± standard deviation, losing or winning; after each task its references.

    `colours`, by cell and strategy, are those of the marks on a page.
    """
    winners, rows, verdicts = best_of(lines), [], []
    for task in dict.fromkeys(line.setting.task for line in lines):
        own = [line for line in lines if line.setting.task == task]
        rows += [_row(line, line.setting in winners, colours or {}) for line in own]
        found = duel(own)
        verdicts += [] if found is None else [verdict(found)]
        references = next((line.references for line in own if line.references), {})
        rows += [_reference(task, *found) for found in distinct_references(references.items())]
    unit = unit_of(vars(line) for line in lines if line.finished)
    head = [name.replace("loss", unit) for name in HEAD]
    table = Table(
        head, rows, names=3,
        title="Held-out loss per output, students alone: mean ± deviation of n seeds",
        notes=[*_failures(lines), *verdicts], page_only=head[9:],
    )  # fmt: skip
    empty = [] if any(_shows_metric(line) for line in lines) else ["selected by"]
    empty += [] if any(line.bits_per_byte for line in lines) else ["bits/byte"]
    return table.without(*empty)


def verdict(found: Duel) -> str:
    """One sentence: the best opponent, the best row of ours, and why that is a win or none."""
    ours, other = (
        f"{line.setting.cell} {line.setting.strategy} ({spread_text(line.nats, 4)} {line.unit})"
        for line in (found.ours, found.opponent)
    )
    by = f"{abs(found.lead):.4f} {found.ours.unit} {'better' if found.lead >= 0 else 'worse'}"
    grounds = (
        f"a win, as that is more than the spread of {found.spread:.4f} over {found.ours.finished} "
        "seeds"
        if found.objection is None
        else f"no win: {found.objection}"
    )
    task = found.ours.setting.task
    return f"{task}: best opponent {other}; from target memories {ours}, {by}, {grounds}."


def spread_text(spread: Spread | None, digits: int) -> str:
    """Mean ± deviation."""
    if spread is None:
        return NOTHING
    mean = number(spread.mean, digits)
    return mean if spread.deviation is None else f"{mean} ± {spread.deviation:.{digits}f}"


def percent_text(spread: Spread | None) -> str:
    """Mean ± deviation in percent."""
    if spread is None or spread.deviation is None:
        return percent(spread and spread.mean)
    return f"{100 * spread.mean:.1f} ± {percent(spread.deviation)}"


def _row(line: Line, first: bool, colours: Mapping[tuple[str, str], str]) -> TableLine:
    """A row of the table; the first of its task is the best only if it beats the reference."""
    setting, note = line.setting, unhelpful(line.nats and line.nats.mean, line.references)
    return TableLine(
        _cells(line),
        "unhelpful" if note else "",
        best=first and not note,
        group=setting.task,
        notes=[note] if note else [],
        colour=colours.get((setting.cell, setting.strategy), ""),
    )


def _cells(line: Line) -> tuple[str, ...]:
    setting = line.setting
    return (
        setting.task,
        setting.cell,
        setting.strategy,
        spread_text(line.nats, 4),
        spread_text(line.bits_per_byte, 4),
        percent_text(line.accuracy),
        _selected(line),
        seconds_text(line.seconds and line.seconds.mean),
        _count(line),
        spread_text(line.teacher, 4),
        number(line.calls and line.calls.mean, 0),
        number(line.parameters, 0),
        ", ".join(f"{lr:.2g}" for lr in line.lr) or NOTHING,
    )


def _shows_metric(line: Line) -> bool:
    """Was the student chosen by a metric that has no column of its own?"""
    return line.select not in ("loss", "accuracy")


def _selected(line: Line) -> str:
    if not _shows_metric(line) or line.selected is None:
        return NOTHING
    mean, deviation = (v if v is None else metric_text(line.select, v) for v in line.selected)
    return f"{METRICS[line.select].label} {mean}" + (f" ± {deviation}" if deviation else "")


def _reference(task: str, name: str, nats: float) -> TableLine:
    named = ["", "", reference_label(name), number(nats, 4)]
    return TableLine(named + [""] * (len(HEAD) - len(named)), "reference", group=task)


def _count(line: Line) -> str:
    """Seeds that are in the mean, of those that were planned."""
    whole = line.finished == line.planned
    return str(line.finished) if whole else f"{line.finished} of {line.planned}"


def _failures(lines: Sequence[Line]) -> list[str]:
    failed = [f"{line.setting} ({line.failed})" for line in lines if line.failed]
    return [f"Failed runs, in no mean: {', '.join(failed)}"] if failed else []
