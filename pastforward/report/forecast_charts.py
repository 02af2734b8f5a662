"""L4. Series as pictures: what was, and a fan of what comes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from pastforward.analysis.forecasts.futures import Future
from pastforward.analysis.forecasts.samples import LEVELS, SeriesSamples
from pastforward.report.charts import dress
from pastforward.report.colours import COLOURS, INK

_PANELS = 6
_PAST = 3
"""Horizons of history that are shown."""


def fan(
    found: Sequence[Future], levels: Sequence[float], truth: np.ndarray | None = None
) -> Figure:
    """A panel for each of the first series and columns; `truth` `[horizon, C]` is what came."""
    panels = [(one, place) for one in found for place in range(len(one.columns))][:_PANELS]
    figure = Figure(figsize=(8.0, 2.8 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for place, ((one, column), ax) in enumerate(zip(panels, axes, strict=True)):
        _panel(ax, one, column, levels)
        if truth is not None:
            ahead = one.index[len(one.past) :]
            ax.plot(ahead, truth[:, column], color=INK, lw=1.0, ls=":", label="what came")
        if place == 0:
            where = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": 5}
            ax.legend(frameon=False, fontsize=8.5, labelcolor=INK, **where)  # beside the title
    return figure


def fans(samples: SeriesSamples) -> list[Figure]:
    """What was, a fan of what comes, and what came, of each series."""
    both = zip(samples.futures, samples.truths, strict=True)
    return [fan([future], LEVELS, truth) for future, truth in both]


def _panel(axes: Axes, one: Future, column: int, levels: Sequence[float]) -> None:
    rows, shown = len(one.past), min(len(one.past), _PAST * one.horizon)
    before, after = one.index[rows - shown : rows], one.index[rows:]
    axes.plot(before, one.past[rows - shown :, column], color=INK, lw=1.2, label="history")
    ordered = sorted(levels)
    values = one.quantiles(ordered)[..., column]
    for low in range(len(ordered) // 2):
        high = len(ordered) - 1 - low
        share = ordered[high] - ordered[low]
        axes.fill_between(
            after, values[low], values[high], color=COLOURS[0], alpha=0.2 + 0.15 * low, lw=0,
            label=f"central {share:.0%}",
        )  # fmt: skip
    axes.plot(after, one.quantiles([0.5])[0, :, column], color=COLOURS[0], lw=1.8, label="median")
    name = " ".join(filter(None, [one.name, one.columns[column]]))
    dress(axes, name, "", "")
    if hasattr(after, "year"):
        ticks = AutoDateLocator(maxticks=8)
        axes.xaxis.set_major_locator(ticks)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(ticks))
