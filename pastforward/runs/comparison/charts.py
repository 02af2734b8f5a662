"""L5. Pictures of a grid: accuracy against T, loss against seconds, tokens and serial calls."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from pastforward.runs.comparison.record import Record
from pastforward.runs.comparison.results import Line, Row
from pastforward.report import charts as pictures
from pastforward.report.charts import COLOURS, GREY, Curve
from pastforward.recipes.names import without_length
from pastforward.training.folder import RunFolder

_CUT = 1.5
"""Losses above so many times the floor are cut: a student may begin far worse than chance."""
_AXES = (
    ("seconds", "seconds of training", "linear"),
    ("tokens", "sequence positions read", "linear"),
    ("calls", "cell calls one after the other", "log"),
)

Metrics = Sequence[Mapping[str, Any]]


class Look(NamedTuple):
    """How a cell trained in some way is drawn, everywhere on a page."""

    colour: str
    style: str


class Chart(NamedTuple):
    """A picture and what it is of."""

    title: str
    note: str
    svg: Markup


def looks(lines: Sequence[Line]) -> dict[tuple[str, str], Look]:
    """A colour for each cell and way; where colours run out they come again, dashed."""
    pairs = dict.fromkeys((line.setting.cell, line.setting.strategy) for line in lines)
    styles = ("-", "--", "-.", ":")
    return {
        pair: Look(COLOURS[i % len(COLOURS)], styles[i // len(COLOURS) % len(styles)])
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


def by_cost(root: Path, rows: Sequence[Row], lines: Sequence[Line]) -> dict[str, list[Chart]]:
    """By task: held-out loss against what was spent, a curve for every seed."""
    metrics = {row.folder: RunFolder(root / row.folder).metrics.read() for row in rows}
    return {
        task: [
            chart
            for unit, label, scale in _AXES
            if (chart := _against(unit, label, scale, _of(task, rows), metrics, lines))
        ]
        for task in dict.fromkeys(row.task for row in rows)
    }


def _against_length(
    family: str, lines: Sequence[Line], style: Mapping[tuple[str, str], Look]
) -> Chart:
    exact = all(line.accuracy for line in lines)
    curves = []
    for pair in dict.fromkeys((line.setting.cell, line.setting.strategy) for line in lines):
        own = [line for line in lines if (line.setting.cell, line.setting.strategy) == pair]
        curves.append(_over_lengths(own, exact, style[pair]))
    drawn = pictures.chart(curves, "T", "share of outputs right" if exact else "nats per output")
    if exact:
        drawn.axes[0].set_ylim(-0.03, 1.03)
    drawn.axes[0].set_xticks(sorted({line.length or 0 for line in lines}))
    what = "Accuracy" if exact else "Loss"
    note = f"{what} of students alone: mean over seeds, bars one standard deviation."
    return Chart(f"{family}: {what.lower()} against T", note, Markup(pictures.svg(drawn)))


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


def _against(
    unit: str, label: str, scale: str, rows: Sequence[Row], metrics: Mapping[str, Metrics],
    lines: Sequence[Line],
) -> Chart | None:  # fmt: skip
    style = looks(lines)
    curves = [_curve(metrics[row.folder], unit, style[row.cell, row.strategy]) for row in rows]
    curves = [curve for curve in curves if curve.x]
    if not curves:
        return None
    ends = [bound(curve.x[i] for curve in curves) for bound, i in ((min, 0), (max, -1))]
    reference = next((row.references["unigram"] for row in rows if "unigram" in row.references), None)
    if reference is not None:
        curves.append(Curve(ends, [reference, reference], GREY, style=":"))
    top = None if reference is None or reference <= 0 else _CUT * reference
    drawn = pictures.chart(curves, label, "nats per output", top, scale)
    note = "Held-out loss of students alone, a curve for every seed; unigram floor dotted."
    return Chart(f"{rows[0].task}: loss against {label}", note, Markup(pictures.svg(drawn)))


def _curve(metrics: Metrics, unit: str, look: Look) -> Curve:
    points = [row for row in metrics if row.get("valid") is not None and row.get(unit)]
    return Curve(
        [row[unit] for row in points], [row["valid"] for row in points], look.colour,
        style=look.style,
    )  # fmt: skip


def _of(task: str, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.task == task]
