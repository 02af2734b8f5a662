"""L4. One self-contained page about one or more runs: nothing in it is loaded from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pastforward.analysis.forecasts.samples import SeriesSamples
from pastforward.analysis.samples import ImageSamples
from pastforward.errors import UsageError
from pastforward.files import json_text
from pastforward.report import charts as pictures
from pastforward.report.charts import Chart, Curve, chart, cut_above, with_gaps
from pastforward.report.colours import colour_of
from pastforward.report.forecast_charts import fans
from pastforward.report.formats import NOTHING, number, percent
from pastforward.report.label_page import label_headline, label_parts, metric_charts
from pastforward.report.labels import label_table, metrics_in
from pastforward.report.summary import Result, RunSummary, best, naive_reference, results, run_unit
from pastforward.report.tables import Line, Table, results_table
from pastforward.report.templates import write_page


def write_report(runs: Sequence[RunSummary], out: Path | str) -> Path:
    """Write the page to `out` and return its path.

    Raises `UsageError` when no run is given or the place can't be written.
    """
    if not runs:
        raise UsageError("No run was given to report on; give at least one.")
    return write_page(
        out,
        "run.html",
        title=" · ".join(dict.fromkeys(_source(run) for run in runs)),
        hardware=", ".join(dict.fromkeys(str(run.facts.get("hardware", "?")) for run in runs)),
        counted=runs[0].evaluation,
        table=results_table(runs),
        label_table=label_table(runs),
        headline=_headline(runs),
        charts=[*_learning(runs), *metric_charts(runs), *_drift(runs), *_positions(runs)],
        labels=label_parts(runs),
        memories=_memories(runs),
        runs=[_run(place, run) for place, run in enumerate(runs)],
    )


def _source(run: RunSummary) -> str:
    return str(run.facts.get("config", {}).get("data", {}).get("source", "held-out data"))


def _headline(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """The few figures to read first: of labels, then losses, the best marked if it is any good."""
    rows = results(runs)
    winner, students = best(rows), [row for row in rows if row.kind == "student"]
    finite = [row for row in students if row.nats is not None]
    leader = winner or min(finite, key=lambda row: row.nats or 0.0, default=None)
    first = "best student" if winner else "lowest loss of a student"
    shown = [(first if len(students) > 1 else "student", leader)] if leader else []
    shown += [(row.name, row) for row in rows if row.kind == "teacher"][:1]
    shown += [(row.name, row) for row in rows if row.kind == "reference"]
    labels = [run for run in runs if leader and run.name == leader.name]
    return [
        *(label_headline(run) for run in labels if metrics_in(run.evaluation["student"])),
        *(_figure(what, row, row is leader, row is winner) for what, row in shown),
    ]


def _figure(what: str, row: Result, named: bool, first: bool) -> dict[str, Any]:
    bits = "" if row.bits is None else f" · {number(row.bits, 3)} bits"
    if row.bits_per_byte is not None:
        bits += f" · {number(row.bits_per_byte, 3)} bits a byte"
    return {
        "what": what, "value": number(row.nats, 3), "unit": f"{row.unit}{bits}",
        "name": row.name if named else "", "note": row.note, "best": first,
    }  # fmt: skip


def _learning(runs: Sequence[RunSummary]) -> list[Chart]:
    curves = []
    for place, run in enumerate(runs):
        points = [row for row in run.metrics if row.get("valid") is not None]
        if points:
            seconds = [row["seconds"] for row in points]
            curves.append(Curve(seconds, [row["valid"] for row in points], colour_of(place)))
    if not curves:
        return []
    naive = dict(found for run in runs if (found := naive_reference(run.evaluation["references"])))
    figure = chart(curves, "seconds", f"{run_unit(runs)} per output", list(naive.values()))
    cut_above(figure, list(naive.values()))
    dotted = f"; dotted: {', '.join(naive)} reference" if naive else ""
    note = f"Held-out loss of the student alone against seconds of training{dotted}."
    return [Chart("Learning", note, figure)]


def _drift(runs: Sequence[RunSummary]) -> list[Chart]:
    found = [(run.evaluation.get("drift") or {}).get("relative") for run in runs]
    curves = [
        Curve(range(len(relative)), with_gaps(relative), colour_of(place))
        for place, relative in enumerate(found)
        if relative
    ]
    if not curves:
        return []
    note = (
        "Squared distance of the student's own memory to its target over the variance of the "
        "targets: at 1 it is no closer than their mean. Only students with a teacher have one."
    )
    return [Chart("Drift", note, chart(curves, "t", "drift / variance"))]


def _positions(runs: Sequence[RunSummary]) -> list[Chart]:
    curves = []
    for place, run in enumerate(runs):
        for who, style in (("student", "-"), ("teacher", "--")):
            score = run.evaluation.get(who)
            if score:
                y = with_gaps(score["by_position"])
                curves.append(Curve(range(1, len(y) + 1), y, colour_of(place), style=style))
    if not any(np.isfinite(curve.y).sum() > 1 for curve in curves):
        return []  # all outputs stand at one step
    note = "Students solid, their teachers dashed."
    return [Chart("Loss by position", note, chart(curves, "t", f"{run_unit(runs)} per output"))]


def _memories(runs: Sequence[RunSummary]) -> Table | None:
    """How much memories differ; None where no network has memories."""
    lines = []
    for run in runs:
        one_step = (run.evaluation.get("drift") or {}).get("one_step")
        for whose, meter in run.evaluation.get("collapse", {}).items():
            error = percent(one_step) if whose == "student" else NOTHING
            measured = number(meter["rank"], 1), number(meter["similarity"], 3), error
            lines.append(Line((f"{run.name}: {whose}", *measured)))
    head = ("memories of", "rank", "similarity", "one-step error")
    return Table(head, lines).without_empty() if lines else None


def _run(place: int, run: RunSummary) -> dict[str, Any]:
    images = _images(run.samples) if isinstance(run.samples, ImageSamples) else {}
    config = json_text(run.facts.get("config", {}), indent=2)
    return {
        "name": run.name, "colour": colour_of(place), "config": config,
        "text": run.samples if isinstance(run.samples, str) else None, "images": images,
        "figures": fans(run.samples) if isinstance(run.samples, SeriesSamples) else [],
    }  # fmt: skip


def _images(samples: ImageSamples) -> dict[str, str]:
    tinted = pictures.tint(samples)
    rows = {
        "new": samples.new, "completed, given pixels in blue": tinted, "original": samples.original,
    }  # fmt: skip
    tiled = {name: pictures.tile(row, scale=8, columns=5) for name, row in rows.items()}
    return {name: pictures.data_uri(pictures.png(row)) for name, row in tiled.items()}
