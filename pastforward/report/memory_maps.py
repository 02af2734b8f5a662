"""L4. Maps: memories in the two directions in which they differ most, coloured by true state."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from pastforward.analysis.memories import Memories
from pastforward.analysis.principal import principal_components
from pastforward.report.analysis_charts import INK, LINE, SOFT
from pastforward.report.charts import COLOURS

_DOTS = 3000


def memory_map(memories: Memories, state: str | None) -> Figure:
    """A panel by whose memories, each in its own two components; without a state, coloured by t."""
    figure = Figure(figsize=(3.3 * len(memories.by) + 0.9, 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(memories.by)))
    values = _times(memories) if state is None else memories.states[state]
    drawn = None
    for ax, (whose, rows) in zip(axes, memories.by.items(), strict=True):
        drawn = _panel(ax, whose, rows, values, state is None)
    assert drawn is not None
    bar = figure.colorbar(drawn, ax=list(axes), pad=0.015, aspect=28)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(length=0, labelsize=8.5, colors=SOFT)
    bar.set_label(state or "t", color=SOFT, size=9.5)
    if state is not None:
        classes = int(values.max()) + 1
        bar.set_ticks(_few(classes))
    return figure


def _panel(ax: Axes, whose: str, rows: Tensor, values: Tensor, smooth: bool):
    flat, colours = rows.flatten(0, 1), values.flatten().numpy()
    found = principal_components(flat)
    chosen = np.random.default_rng(0).permutation(len(flat))[:_DOTS]
    x, y = found.project(flat[chosen]).T.numpy()
    low, high = (colours.min(), colours.max()) if smooth else (-0.5, colours.max() + 0.5)
    colour_map = mpl.colormaps["viridis"] if smooth else _colours(int(colours.max()) + 1)
    drawn = ax.scatter(x, y, c=colours[chosen], s=7, alpha=0.75, lw=0, cmap=colour_map, vmin=low,
                       vmax=high)  # fmt: skip
    first, second = (100 * found.shares).tolist()
    ax.set_title(whose, loc="left", size=10.5, color=INK, pad=8)
    ax.set_xlabel(f"component 1 ({first:.0f}% of variance)", size=8.5, color=SOFT)
    ax.set_ylabel(f"component 2 ({second:.0f}%)", size=8.5, color=SOFT)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(LINE)
    return drawn


def _colours(classes: int) -> ListedColormap:
    """The page's colours for a few classes, a wheel for many."""
    if classes <= len(COLOURS):
        return ListedColormap(list(COLOURS[:classes]))
    return ListedColormap(mpl.colormaps["hsv"](np.linspace(0, 0.92, classes)))


def _few(classes: int) -> Sequence[int]:
    return range(0, classes, max(1, -(-classes // 8)))


def _times(memories: Memories) -> Tensor:
    import torch

    count, length = memories.batch.mask.shape
    return torch.arange(1, length + 1).expand(count, length)
