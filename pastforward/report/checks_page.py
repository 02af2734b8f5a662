"""L4. The doctor's page about one run: findings and the curves behind them, nothing loaded."""

import math
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pastforward.analysis.checks.collapse import variance_by_direction
from pastforward.analysis.checks.context import CheckContext
from pastforward.analysis.checks.result import CheckResult, Level
from pastforward.files import write_atomically
from pastforward.report.charts import COLOURS, GREY, Curve, chart, svg
from pastforward.report.checks_table import counted, verdict

_STUDENT, _TEACHER = COLOURS[:2]
_SAID = {
    Level.OK: "Nothing is wrong",
    Level.WARNING: "Nothing has failed; look at the warnings",
    Level.FAILED: "Something is wrong",
}
_ORDER = (Level.FAILED, Level.WARNING, Level.OK, Level.SKIPPED)
_NEARLY_ALL = 0.99
"""Of the variance: further directions are not drawn."""

SampledAnchors = tuple[str, str, list[Curve], str, str]


def write_page(name: str, context: CheckContext, results: Sequence[CheckResult], out: Path) -> Path:
    """Write the page to `out` and return its path; raises `UsageError` when it can't be written."""
    environment = Environment(
        loader=PackageLoader("pastforward.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("checks.html").render(
        name=name,
        source=context.source.name,
        verdict=_SAID[verdict(results)],
        level=str(verdict(results)),
        counted=counted(results),
        limit=context.limit,
        results=sorted(results, key=lambda result: _ORDER.index(result.level)),
        charts=_charts(context),
    )
    write_atomically(out, text.encode("utf-8"))
    return out


def _charts(context: CheckContext) -> list[dict[str, str | Markup]]:
    if context.broken:
        return []
    drawn = [_drift(context)] if context.has_teacher else []
    drawn += [_positions(context), _spectrum(context)]
    return [
        {"title": title, "note": note, "svg": Markup(svg(chart(curves, x, y)))}
        for title, note, curves, x, y in drawn
    ]


def _drift(context: CheckContext) -> SampledAnchors:
    found = context.evaluation.drift
    assert found is not None
    steps = range(len(found.relative))
    return (
        "Drift",
        "Distance of the student's own memory to its label, over the labels' variance; dotted, "
        "what one step from a label misses. What lies above the dots has compounded.",
        [
            Curve(steps, found.relative, _STUDENT),
            Curve([steps[0], steps[-1]], [found.one_step] * 2, GREY, style=":"),
        ],
        "t", "drift / variance",
    )  # fmt: skip


def _positions(context: CheckContext) -> SampledAnchors:
    found, curves = context.evaluation, []
    for score, colour in ((found.student, _STUDENT), (found.teacher, _TEACHER)):
        if score:
            y = [math.nan if value is None else value for value in score.by_position]
            curves.append(Curve(range(1, len(y) + 1), y, colour))
    if context.references:
        ends = [1.0, float(len(found.student.by_position))]
        curves.append(Curve(ends, [context.reference] * 2, GREY, style=":"))
    note = "Student alone in blue, its teacher in orange; dotted, the floor of reading no input."
    return "Loss by position", note, curves, "t", "nats per output"


def _spectrum(context: CheckContext) -> SampledAnchors:
    spectra = [(context.own, _STUDENT)]
    if context.has_teacher:
        spectra.append((context.memories.targets, _TEACHER))
    shares = [variance_by_direction(memories) for memories, _ in spectra]
    shown = max(2, max(sum(share < _NEARLY_ALL for share in one) for one in shares) + 1)
    curves = [
        Curve(range(1, len(one[:shown]) + 1), one[:shown], colour)
        for one, (_, colour) in zip(shares, spectra, strict=True)
    ]
    note = (
        "Share of variance that lies in the first n directions; the student's memories in blue, "
        "labels in orange. A line that is at 1 from the start is a memory of one number."
    )
    return "Directions of memories", note, curves, "n", "share of variance"
