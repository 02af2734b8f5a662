"""L4. What the page about runs shows of labelled data, for the template."""

from collections.abc import Sequence
from typing import Any

from pastforward.analysis.label_samples import Example, LabelSamples
from pastforward.analysis.metrics import METRICS, figure
from pastforward.report.charts import Chart, Curve, chart, percent_axis
from pastforward.report.colours import colour_of
from pastforward.report.label_charts import (
    confusion_figure,
    course_figure,
    example_figure,
    scatter_figure,
)
from pastforward.report.labels import (
    FEW_CLASSES,
    class_table,
    confused_table,
    metric_text,
    metrics_in,
    number_table,
    unhelpful_labels,
)
from pastforward.report.summary import RunSummary

_HALF_ROW = 12
"""Classes whose counts are readable in half the width of a page."""
_TEXT = 400
"""Characters of a text that are shown."""


def label_parts(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """A part of the page for every run on labelled data."""
    found = [
        (place, run) for place, run in enumerate(runs) if metrics_in(run.evaluation["student"])
    ]
    return [_part(run, colour_of(place)) for place, run in found]


def label_headline(run: RunSummary) -> dict[str, Any]:
    """The first metric of a student's labels large, the others small."""
    score = run.evaluation["student"]
    first, *rest = metrics_in(score)[:: -1 if score.get("numbers") else 1]
    others = [f"{METRICS[name].label} {metric_text(name, figure(name, score))}" for name in rest]
    return {
        "what": METRICS[first].label, "value": metric_text(first, figure(first, score)),
        "unit": " · ".join(others), "name": run.name, "note": unhelpful_labels(score),
        "best": False,
    }  # fmt: skip


def metric_charts(runs: Sequence[RunSummary]) -> list[Chart]:
    """Against seconds, the metric by which students were chosen, where it isn't the loss."""
    charts = []
    for name in [name for name in METRICS if name != "loss"]:
        key, curves = f"valid_{name}", []
        for place, run in enumerate(runs):
            points = [row for row in run.metrics if row.get(key) is not None]
            if points:
                seconds, values = ([row[of] for row in points] for of in ("seconds", key))
                curves.append(Curve(seconds, values, colour_of(place)))
        if curves:
            drawn = chart(curves, "seconds", METRICS[name].label)
            if METRICS[name].share:
                percent_axis(drawn.axes[0])
            note = "Held-out; the student that was best by it is kept."
            charts.append(Chart(f"Learning: {METRICS[name].label}", note, drawn))
    return charts


def _part(run: RunSummary, colour: str) -> dict[str, Any]:
    classes, numbers = (run.evaluation["student"].get(name) for name in ("classes", "numbers"))
    samples = run.samples if isinstance(run.samples, LabelSamples) else None
    many = bool(classes) and len(classes["names"]) > FEW_CLASSES
    return {
        "name": run.name, "colour": colour, "many": many,
        "picture": answers_chart(run, colour),
        "whole_row": bool(classes) and not many and len(classes["names"]) > _HALF_ROW,
        "table": _table(classes, numbers),
        "confused": confused_table(classes) if many else None,
        "course": _course(samples, colour) if samples else None,
        "examples": _examples(samples) if samples else [],
    }  # fmt: skip


def _table(classes: dict[str, Any] | None, numbers: dict[str, Any] | None):
    if classes:
        return class_table(classes)
    return number_table(numbers) if numbers and len(numbers["mse_of"]) > 1 else None


def answers_chart(run: RunSummary, colour: str) -> Chart | None:
    """Answers against the truth: a confusion matrix, or a scatter plot of numbers."""
    classes = run.evaluation["student"].get("classes")
    if classes and classes["confusion"]:
        root = ", as its square root" if len(classes["names"]) > FEW_CLASSES else ""
        note = f"Rows are true classes; the darker, the larger the share of the true class{root}."
        drawn = confusion_figure(classes["names"], classes["confusion"])
        return Chart("Confusion matrix", note, drawn)
    samples = run.samples
    if not isinstance(samples, LabelSamples) or samples.answers is None:
        return None
    note = "The first output of each test sequence, at its end; dotted: exactly right."
    return Chart("Predicted against true", note, scatter_figure(samples.answers, colour))


def _course(samples: LabelSamples, colour: str) -> Chart:
    drawn = course_figure(samples, colour)
    if samples.chance is None:
        note = "Distance of the answer from the truth, were the sequence to end at each step."
        return Chart("Error as steps come in", note, drawn)
    note = (
        "Probability that the readout gives the next true answer, were it asked at each step of "
        "test sequences. Training asks only where outputs count."
    )
    return Chart("The true class as steps come in", note, drawn)


def _examples(samples: LabelSamples) -> list[dict[str, Any]]:
    names = ("Right", "Wrong") if samples.chance is not None else ("Nearest", "Farthest")
    groups = zip(names, (samples.right, samples.wrong), strict=True)
    return [
        {"title": title, "shown": [_example(one, samples.images) for one in examples]}
        for title, examples in groups
        if examples
    ]


def _example(example: Example, images: bool) -> dict[str, Any]:
    text = example.inputs if isinstance(example.inputs, str) else ""
    return {
        "said": example.said, "right": example.right, "figure": example_figure(example, images),
        "text": text if len(text) <= _TEXT else f"{text[: _TEXT // 2]} … {text[-_TEXT // 2 :]}",
    }  # fmt: skip
