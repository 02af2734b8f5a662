"""L4. The doctor's page about one run: findings and the curves behind them, nothing loaded."""

import math
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pastforward.doctor.collapse import variance_by_direction
from pastforward.doctor.finding import Finding, Level
from pastforward.doctor.patient import Patient
from pastforward.doctor.table import counted, verdict
from pastforward.evaluation.pictures import COLOURS, GREY, Curve, chart, svg
from pastforward.files import write_atomically

_STUDENT, _TEACHER = COLOURS[:2]
_SAID = {
    Level.OK: "Nothing is wrong",
    Level.WARNING: "Nothing has failed; look at the warnings",
    Level.FAILED: "Something is wrong",
}
_ORDER = (Level.FAILED, Level.WARNING, Level.OK, Level.SKIPPED)
_NEARLY_ALL = 0.99
"""Of the variance: further directions are not drawn."""

Drawn = tuple[str, str, list[Curve], str, str]


def write_page(name: str, patient: Patient, findings: Sequence[Finding], out: Path) -> Path:
    """Write the page to `out` and return its path; raises `UsageError` when it can't be written."""
    environment = Environment(
        loader=PackageLoader("pastforward.doctor", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.html").render(
        name=name,
        source=patient.source.name,
        verdict=_SAID[verdict(findings)],
        level=str(verdict(findings)),
        counted=counted(findings),
        limit=patient.limit,
        findings=sorted(findings, key=lambda finding: _ORDER.index(finding.level)),
        charts=_charts(patient),
    )
    write_atomically(out, text.encode("utf-8"))
    return out


def _charts(patient: Patient) -> list[dict[str, str | Markup]]:
    if patient.broken:
        return []
    drawn = [_drift(patient)] if patient.has_teacher else []
    drawn += [_positions(patient), _spectrum(patient)]
    return [
        {"title": title, "note": note, "svg": Markup(svg(chart(curves, x, y)))}
        for title, note, curves, x, y in drawn
    ]


def _drift(patient: Patient) -> Drawn:
    found = patient.evaluation.drift
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


def _positions(patient: Patient) -> Drawn:
    found, curves = patient.evaluation, []
    for score, colour in ((found.student, _STUDENT), (found.teacher, _TEACHER)):
        if score:
            y = [math.nan if value is None else value for value in score.by_position]
            curves.append(Curve(range(1, len(y) + 1), y, colour))
    if patient.floors:
        ends = [1.0, float(len(found.student.by_position))]
        curves.append(Curve(ends, [patient.floor] * 2, GREY, style=":"))
    note = "Student alone in blue, its teacher in orange; dotted, the floor of reading no input."
    return "Loss by position", note, curves, "t", "nats per output"


def _spectrum(patient: Patient) -> Drawn:
    spectra = [(patient.own, _STUDENT)]
    if patient.has_teacher:
        spectra.append((patient.memories.labels, _TEACHER))
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
