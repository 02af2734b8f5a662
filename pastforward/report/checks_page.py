"""L4. Results of the doctor's checks, on the console and as a self-contained page."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from pastforward.analysis.checks.context import CheckContext, CheckResult, Level
from pastforward.analysis.checks.memory_use import variance_by_direction
from pastforward.report import templates
from pastforward.report.charts import SMALL, Chart, Curve, chart, percent_axis, with_gaps
from pastforward.report.colours import COLOURS
from pastforward.report.tables import Line, Table

_STUDENT, _TEACHER = COLOURS[:2]
_SAID = {
    Level.OK: "Nothing is wrong",
    Level.WARNING: "Nothing has failed; look at the warnings",
    Level.FAILED: "Something is wrong",
}
_ORDER = (Level.FAILED, Level.WARNING, Level.OK, Level.SKIPPED)
_NEARLY_ALL = 0.99
"""Of the variance: further directions are not drawn."""


def print_results(results: Sequence[CheckResult]) -> None:
    """A table of all checks, then each warning and failure with its usual cause and advice."""
    out, lines = Console(), [Line((r.level, r.check, _short(r)), r.level) for r in results]
    out.print(Table(("", "check", "found"), lines, names=3, wraps="found"))
    for result in results:
        if result.cause:
            out.print(Text(f"{result.check}: {result.level}", "bold"))
            for line in (result.measured, *_explained(result)):
                out.print(Padding(Text(line), (0, 0, 0, 2)))
            out.print()


def write_page(name: str, context: CheckContext, results: Sequence[CheckResult], out: Path) -> Path:
    """Write the page to `out` and return its path; raises `UsageError` when it can't be written."""
    ordered = sorted(results, key=lambda result: _ORDER.index(result.level))
    lines = [
        Line((r.level, r.check, r.measured), r.level, notes=list(_explained(r))) for r in ordered
    ]
    level = verdict(results)
    return templates.write_page(
        out, "checks.html", title=name, source=context.source.name, limit=context.limit,
        verdict=_SAID[level], level=level, counted=counted(results), charts=_charts(context),
        table=Table(("", "check", "found"), lines, names=3),
    )  # fmt: skip


def verdict(results: Sequence[CheckResult]) -> Level:
    """The worst level there is; skipped checks count for nothing."""
    levels = {result.level for result in results}
    return next((one for one in (Level.FAILED, Level.WARNING) if one in levels), Level.OK)


def counted(results: Sequence[CheckResult]) -> str:
    """How many checks came out how, in words."""
    levels = [result.level for result in results]
    words = {Level.WARNING: "warnings"}
    return ", ".join(
        f"{levels.count(one)} {words.get(one, one) if levels.count(one) > 1 else one}"
        for one in Level
        if one in levels
    )


def _short(result: CheckResult) -> str:
    """The figures; the sentence where there are none, less what its level says already."""
    if not result.figures:
        return result.measured.removeprefix("Not checked: ")
    return "  ".join(f"{name.replace('_', ' ')} {v:.3g}" for name, v in result.figures.items())


def _explained(result: CheckResult) -> Sequence[str]:
    if not result.cause:
        return ()
    return f"Usual cause: {result.cause}.", f"Try: {result.advice}."


def _charts(context: CheckContext) -> list[Chart]:
    if context.broken:
        return []
    drawn = [_drift(context)] if context.has_teacher else []
    drawn += [_positions(context), _spectrum(context)]
    for one in drawn:
        one.figure.set_size_inches(SMALL)
    return drawn


def _drift(context: CheckContext) -> Chart:
    found = context.evaluation.drift
    assert found is not None
    curve = Curve(range(len(found.relative)), found.relative, _STUDENT)
    note = (
        "Squared distance of the student's own memory to its target over the variance of the "
        "targets. Dotted: the error of one step from a target; drift above it has compounded."
    )
    figure = chart([curve], "t", "drift / variance", [found.one_step])
    return Chart("Drift", note, figure)


def _positions(context: CheckContext) -> Chart:
    found, curves = context.evaluation, []
    for name, score, colour in (
        ("student alone", found.student, _STUDENT), ("teacher", found.teacher, _TEACHER),
    ):  # fmt: skip
        if score:
            y = with_gaps(score.by_position)
            curves.append(Curve(range(1, len(y) + 1), y, colour, name))
    levels = [context.reference] if context.references else []
    note = "Dotted: the reference loss of a predictor that reads no input." if levels else ""
    return Chart("Loss by position", note, chart(curves, "t", f"{context.unit} per output", levels))


def _spectrum(context: CheckContext) -> Chart:
    spectra = [("student's memories", context.own, _STUDENT)]
    if context.has_teacher:
        spectra.append(("targets", context.memories.targets, _TEACHER))
    shares = [variance_by_direction(memories) for _, memories, _ in spectra]
    shown = max(2, max(sum(share < _NEARLY_ALL for share in one) for one in shares) + 1)
    curves = [
        Curve(range(1, len(one[:shown]) + 1), one[:shown], colour, name)
        for one, (name, _, colour) in zip(shares, spectra, strict=True)
    ]
    figure = chart(curves, "n", "share of variance")
    percent_axis(figure.axes[0])
    note = (
        "Share of variance within the first n principal directions. A curve at 100% from n = 1 "
        "is a memory of one number."
    )
    return Chart("Principal directions", note, figure)
