"""L4. Figures of labels: confusion matrix, examples, the answer as steps come in."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pastforward.analysis.label_samples import Example, LabelSamples
from pastforward.report import charts
from pastforward.report.charts import Curve
from pastforward.report.colours import COLOURS, GREY, INK, LINE, SOFT, colour_of
from pastforward.report.labels import FEW_CLASSES

_SHADES = LinearSegmentedColormap.from_list("", [(0.23, 0.51, 0.96, a) for a in (0.0, 1.0)])
"""From nothing to blue, on light pages and dark ones."""
_TICKS, _POINTS, _CHANNELS, _NAME = 30, 600, 6, 14
RIGHT, WRONG = COLOURS[2], COLOURS[3]


def confusion_figure(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> Figure:
    """Shares of each true class (row) by predicted class; counts too, where classes are few."""
    counts = np.array(confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1.0)
    few = len(names) <= FEW_CLASSES
    inches = 0.36 * len(names) if few else 4.0
    figure = Figure(figsize=(max(5.4, 1.4 + inches), max(2.2, 1.3 + inches)), layout="constrained")
    axes = figure.subplots()
    # The square root, so that rare confusions among many classes show.
    axes.imshow(shares if few else np.sqrt(shares), aspect="auto", cmap=_SHADES, vmin=0.0, vmax=1.0,
                interpolation="nearest" if few else "antialiased")  # fmt: skip
    charts.dress(axes, "", "predicted", "true")
    axes.grid(False)
    if few:
        axes.grid(which="minor", color=LINE, lw=0.7)
    _name_classes(axes, names)
    if few:
        _write_counts(axes, counts, shares)
    return figure


def scatter_figure(answers: np.ndarray, colour: str) -> Figure:
    """Predicted against true numbers `[n, 2]`; on the dotted line they are equal."""
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(*answers.T, s=14, color=colour, alpha=0.7, lw=0)
    low, high = answers[:, 0].min(), answers[:, 0].max()
    axes.plot([low, high], [low, high], ls=":", color=GREY, lw=1.6)
    charts.dress(axes, "", "true", "predicted")
    return figure


def course_figure(samples: LabelSamples, colour: str) -> Figure:
    """The true answer's probability (of numbers the error) by step: the mean, and some alone."""
    figure = Figure(figsize=(5.4, 3.1), layout="constrained")
    axes = figure.subplots()
    for examples, one, label in ((samples.right, RIGHT, "right"), (samples.wrong, WRONG, "wrong")):
        for number, example in enumerate(examples):
            shown = _labels(samples)[label == "wrong"] if number == 0 else ""
            steps, course = _thinned(example.course)
            axes.plot(steps, course, color=one, lw=0.9, alpha=0.65, label=shown or None)
    steps, course = _thinned(samples.course)
    axes.plot(steps, course, color=colour, lw=2.6, label=f"mean of {samples.sequences:,}")
    if samples.chance is not None:
        axes.axhline(samples.chance, color=GREY, ls=":", lw=1.6, label="all alike")
        charts.percent_axis(axes)
    else:
        axes.set_ylim(bottom=0.0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    label = "error, standard deviations" if samples.chance is None else "p(true class)"
    charts.dress(axes, "", "steps read", label)
    charts.legend(axes)
    return figure


def example_figure(example: Example, images: bool) -> Figure | None:
    """The inputs drawn: an image, or a line for each channel; None for text."""
    if isinstance(example.inputs, str):
        return None
    figure = Figure(figsize=(1.9, 1.9) if images else (2.9, 1.6), layout="constrained")
    axes = figure.subplots()
    if images:
        axes.imshow(example.inputs, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
        axes.set_axis_off()
        return figure
    for channel, values in enumerate(example.inputs.T[:_CHANNELS]):
        steps, drawn = _thinned(values)
        charts.draw(axes, Curve(steps, drawn, colour_of(channel), width=1.1))
    charts.dress(axes, "", "", "")
    axes.tick_params(labelsize=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    return figure


def _labels(samples: LabelSamples) -> tuple[str, str]:
    """What the legend calls examples got right and wrong."""
    if samples.chance is None:
        return "nearest to the truth", "farthest from it"
    return "single, right", "single, wrong"


def _name_classes(axes: Axes, names: Sequence[str]) -> None:
    every = -(-len(names) // _TICKS)
    ticks = range(0, len(names), every)
    short = [n if len(n) <= _NAME else n[: _NAME - 1] + "…" for n in (names[i] for i in ticks)]
    crowded = max(map(len, short)) > 40 / len(short)
    turned = 90 if crowded else 0
    axes.set_xticks(ticks, short, rotation=turned)
    axes.set_yticks(ticks, short)
    if every > 1:
        axes.set_title(f"one class in {every} is named", loc="left", size=8.5, color=SOFT)
    edges = np.arange(len(names) + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    size = 9.0 if counts.max() < 1000 else 7.0
    for (true, said), count in np.ndenumerate(counts):
        if count:
            colour = "#ffffff" if shares[true, said] > 0.6 else INK
            axes.text(
                said, true, f"{int(count)}", ha="center", va="center", size=size, color=colour
            )


def _thinned(values: np.ndarray) -> tuple[list[int], list[float]]:
    """Steps, from 1, and values at evenly spaced ones where there are many."""
    every = -(-len(values) // _POINTS)
    return list(range(1, len(values) + 1, every)), values[::every].tolist()
