"""L4. One self-contained page about one or more runs: nothing in it is loaded from elsewhere."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pastforward.analysis.samples import ImageSamples
from pastforward.errors import UsageError
from pastforward.files import write_atomically
from pastforward.report import charts as pictures
from pastforward.report.charts import COLOURS, GREY, Curve
from pastforward.report.summary import (
    HEAD,
    NOTHING,
    Result,
    RunSummary,
    best,
    cells,
    number,
    percent,
    results,
)
from pastforward.report.templates import template

# A student that has not yet run alone can be far worse than chance, which would flatten the rest.
_CUT = 1.5


def write_report(runs: Sequence[RunSummary], out: Path | str) -> Path:
    """Write the page to `out` and return its path.

    Raises `UsageError` when no run is given or the place can't be written.
    """
    if not runs:
        raise UsageError("No run was given to report on; give at least one.")
    out = Path(out)
    write_atomically(out, render(runs).encode("utf-8"))
    return out


def render(runs: Sequence[RunSummary]) -> str:
    """The page as text."""
    rows = results(runs)
    return template("run.html").render(
        title=" · ".join(dict.fromkeys(_source(run) for run in runs)),
        hardware=", ".join(dict.fromkeys(str(run.facts.get("hardware", "?")) for run in runs)),
        counted=runs[0].evaluation,
        table=_table(rows),
        headline=_headline(rows),
        charts=_charts(runs),
        memories=[line for run in runs for line in _memories(run)],
        runs=[_run(place, run) for place, run in enumerate(runs)],
    )


def _source(run: RunSummary) -> str:
    return str(run.facts.get("config", {}).get("data", {}).get("source", "held-out data"))


def _table(rows: Sequence[Result]) -> dict[str, Any]:
    """Cells as text, each row's kind and colour, and the width of its bar in percent."""
    text, winner = [cells(row) for row in rows], best(rows)
    used = [i for i in range(len(HEAD)) if any(line[i] != NOTHING for line in text)]
    largest = max((row.nats or 0.0 for row in rows), default=0.0) or 1.0
    lines = [
        {
            "kind": row.kind,
            "best": row is winner,
            "colour": _colour(place) if row.kind == "student" else GREY,
            "bar": max(0.0, 100 * (row.nats or 0.0) / largest),
            "cells": [line[i] for i in used],
        }
        for place, (row, line) in enumerate(zip(rows, text, strict=True))
    ]
    return {"head": [HEAD[i] for i in used], "lines": lines}


def _headline(rows: Sequence[Result]) -> list[dict[str, str]]:
    """The few figures to read first."""
    shown = [("best student", best(rows))]
    shown += [(row.name, row) for row in rows if row.kind == "teacher"][:1]
    shown += [(row.name, row) for row in rows if row.kind == "floor"]
    return [
        {"what": what, "nats": number(row.nats, 3), "bits": number(row.bits, 3), "note": row.name}
        for what, row in shown
        if row is not None
    ]


def _charts(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    drawn = [
        ("Learning", "Held-out loss of the student alone, against seconds of training; unigram "
         f"floor dotted, cut above {_CUT} times it.",
         _learning(runs), "seconds", "nats per output"),
        ("Drift", "Distance of the student's own memory to its label over the labels' variance: "
         "at 1 it is no better than their mean. Students without a teacher have none.",
         _drift(runs), "t", "drift / variance"),
        ("Loss by position", "Student solid, teacher dashed.",
         _positions(runs), "t", "nats per output"),
    ]  # fmt: skip
    return [
        {"title": title, "note": note, "svg": _drawn(curves, x, y)}
        for title, note, curves, x, y in drawn
        if curves
    ]


def _drawn(curves: Sequence[Curve], x: str, y: str) -> Markup:
    references = [max(curve.y) for curve in curves if curve.style == ":"]
    top = _CUT * max(references) if references else None
    return Markup(pictures.svg(pictures.chart(curves, x, y, top)))


def _learning(runs: Sequence[RunSummary]) -> list[Curve]:
    curves, last = [], 0.0
    for place, run in enumerate(runs):
        points = [row for row in run.metrics if row.get("valid") is not None]
        seconds = [row["seconds"] for row in points]
        last = max([last, *seconds])
        curves.append(Curve(seconds, [row["valid"] for row in points], _colour(place)))
    curves = [curve for curve in curves if curve.x]
    references = {
        v for run in runs for n, v in run.evaluation["references"].items() if n == "unigram"
    }
    lines = [
        Curve([0.0, last], [reference, reference], GREY, style=":") for reference in references
    ]
    return curves + lines if curves else []


def _drift(runs: Sequence[RunSummary]) -> list[Curve]:
    found = [(place, run.evaluation.get("drift")) for place, run in enumerate(runs)]
    return [
        Curve(range(len(drift["relative"])), _numbers(drift["relative"]), _colour(place))
        for place, drift in found
        if drift
    ]


def _positions(runs: Sequence[RunSummary]) -> list[Curve]:
    curves = []
    for place, run in enumerate(runs):
        for who, style in (("student", "-"), ("teacher", "--")):
            score = run.evaluation.get(who)
            if score:
                y = _numbers(score["by_position"])
                curves.append(Curve(range(1, len(y) + 1), y, _colour(place), style=style))
    return curves


def _memories(run: RunSummary) -> list[dict[str, str]]:
    drift = run.evaluation.get("drift") or {}
    return [
        {
            "whose": f"{run.name}: {whose}",
            "rank": number(meter["rank"], 1),
            "similarity": number(meter["similarity"], 3),
            "one_step": percent(drift.get("one_step")) if whose == "student" else NOTHING,
        }
        for whose, meter in run.evaluation.get("collapse", {}).items()
    ]


def _run(place: int, run: RunSummary) -> dict[str, Any]:
    text, images = run.samples, []
    if isinstance(run.samples, ImageSamples):
        text, rows = None, (
            ("new", run.samples.new),
            ("completed, given pixels in blue", pictures.tint(run.samples)),
            ("original", run.samples.original),
        )  # fmt: skip
        tiled = [(name, pictures.tile(row, scale=8, columns=5)) for name, row in rows]
        images = [(name, pictures.data_uri(pictures.png(pixels))) for name, pixels in tiled]
    config = json.dumps(run.facts.get("config", {}), indent=2)
    return {
        "name": run.name, "colour": _colour(place), "text": text, "images": images,
        "config": config,
    }  # fmt: skip


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]
