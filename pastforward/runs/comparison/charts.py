"""L6. Charts of a comparison: accuracy against T; loss against seconds, tokens and cell calls."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pastforward.recipes.names import without_length
from pastforward.report.charts import SMALL, Chart, Curve, chart, cut_above, percent_axis
from pastforward.report.colours import COLOURS
from pastforward.report.summary import naive_reference, unit_of
from pastforward.runs.comparison.record import Record
from pastforward.runs.comparison.results import Line, Row, aggregate, duel
from pastforward.training.folder import RunFolder

_AXES = (
    ("seconds", "seconds of training", "linear"),
    ("tokens", "positions read", "linear"),
    ("calls", "serial cell calls", "log"),
)
_STYLES = ("-", "--", "-.", ":")

Metrics = Sequence[Mapping[str, Any]]
Pair = tuple[str, str]
"""A cell and the strategy that trains it."""


class Look(NamedTuple):
    """Colour and line style of a pair, everywhere on a page."""

    colour: str
    style: str


def looks(lines: Iterable[Line]) -> dict[Pair, Look]:
    """A look for each pair; where colours run out they come again, dashed."""
    pairs = dict.fromkeys((line.setting.cell, line.setting.strategy) for line in lines)
    return {
        pair: Look(COLOURS[i % len(COLOURS)], _STYLES[i // len(COLOURS) % len(_STYLES)])
        for i, pair in enumerate(pairs)
    }


def by_length(record: Record, lines: Sequence[Line]) -> list[Chart]:
    """Accuracy, or loss where there is none, against T: for tasks at two lengths or more."""
    families: dict[str, list[Line]] = {}
    for line in lines:
        if line.length is not None:
            family = without_length(record.sources[line.setting.task])
            families.setdefault(family, []).append(line)
    style = looks(lines)
    return [
        _against_length(family, group, style)
        for family, group in families.items()
        if len({line.length for line in group}) > 1
    ]


def by_cost(root: Path, rows: Sequence[Row], style: Mapping[Pair, Look]) -> dict[str, list[Chart]]:
    """By task: held-out loss against what was spent, a curve for every seed."""
    metrics = {row.folder: RunFolder(root / row.folder).metrics.read() for row in rows}
    found: dict[str, list[Chart]] = {}
    for task in dict.fromkeys(row.task for row in rows):
        own = [row for row in rows if row.task == task]
        for unit, label, scale in _AXES:
            curves = [_curve(metrics[r.folder], unit, style[r.cell, r.strategy]) for r in own]
            curves = [curve for curve in curves if curve.x]
            if curves:
                references = next((row.references for row in own if row.references), {})
                shared = unit_of(map(vars, own))
                drawn = _against_cost(curves, label, scale, references, shared)
                drawn = drawn._replace(note=drawn.note + _opponent(own))
                found.setdefault(task, []).append(drawn)
    return found


def _opponent(rows: Sequence[Row]) -> str:
    """The best opponent of one task, as a sentence to add."""
    found = duel(aggregate(rows))
    if found is None:
        return ""
    setting = found.opponent.setting
    return f" Best opponent: {setting.cell} {setting.strategy}."


def _against_length(family: str, lines: Sequence[Line], style: Mapping[Pair, Look]) -> Chart:
    exact = all(line.accuracy for line in lines)
    curves = []
    for pair, look in style.items():
        own = [line for line in lines if (line.setting.cell, line.setting.strategy) == pair]
        if own:
            curves.append(_over_lengths(own, exact, look))
    figure = chart(
        curves, "T", "outputs right" if exact else f"{unit_of(map(vars, lines))} per output"
    )
    if exact:
        percent_axis(figure.axes[0])
    figure.axes[0].set_xticks(sorted({line.length or 0 for line in lines}))
    what = "Accuracy" if exact else "Loss"
    note = f"{what} of students alone: mean over seeds, bars one standard deviation."
    return Chart(f"{family}: {what.lower()} against T", note, figure)


def _over_lengths(lines: Sequence[Line], exact: bool, look: Look) -> Curve:
    found = [(line.length or 0, line.accuracy if exact else line.nats) for line in lines]
    points = sorted((length, value) for length, value in found if value)
    return Curve(
        [float(length) for length, _ in points],
        [value.mean for _, value in points],
        look.colour,
        style=look.style,
        error=[value.deviation or 0.0 for _, value in points],
    )


def _against_cost(
    curves: Sequence[Curve], label: str, scale: str, references: Mapping[str, float], unit: str
) -> Chart:
    naive = naive_reference(references)
    levels = [naive[1]] if naive else []
    figure = chart(curves, label, f"{unit} per output", levels, scale)
    figure.set_size_inches(SMALL)
    cut_above(figure, levels)
    dotted = f"; dotted: {naive[0]} reference" if naive else ""
    note = f"Held-out loss of students alone, a curve for every seed{dotted}."
    return Chart(f"Loss against {label}", note, figure)


def _curve(metrics: Metrics, unit: str, look: Look) -> Curve:
    points = [row for row in metrics if row.get("valid") is not None and row.get(unit)]
    return Curve(
        [row[unit] for row in points], [row["valid"] for row in points], look.colour,
        style=look.style,
    )  # fmt: skip
