"""L4. The page of `analyse`, and maps of memories."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from pastforward.analysis.probe import Memories
from pastforward.report import templates
from pastforward.report.charts import COLOURS, SOFT, dress

_DOTS = 3000


def memory_map(memories: Memories, state: str | None) -> Figure:
    """A panel by whose memories, each in its own two components; without a state, coloured by t."""
    figure = Figure(figsize=(3.3 * len(memories.by) + 0.9, 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(memories.by)))
    shape = memories.batch.mask.shape
    times = np.broadcast_to(np.arange(1, shape[1] + 1), shape)
    values = times if state is None else memories.states[state].numpy()
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
        bar.set_ticks(range(0, classes, -(-classes // 8)))
    return figure


def _panel(ax: Axes, whose: str, rows: Tensor, values: np.ndarray, smooth: bool):
    flat, colours = rows.flatten(0, 1).numpy(), values.flatten()
    chosen = np.random.default_rng(0).permutation(len(flat))[:_DOTS]
    (x, y), (first, second) = _components(flat, chosen)
    low, high = (colours.min(), colours.max()) if smooth else (-0.5, colours.max() + 0.5)
    colour_map = mpl.colormaps["viridis"] if smooth else _colours(int(colours.max()) + 1)
    # Rasterized: thousands of dots as vectors would make a page of megabytes.
    drawn = ax.scatter(x, y, c=colours[chosen], s=7, alpha=0.75, lw=0, cmap=colour_map, vmin=low,
                       vmax=high, rasterized=True)  # fmt: skip
    dress(ax, whose, f"component 1 ({first:.0%} of variance)", f"component 2 ({second:.0%})")
    ax.set_xticks([])
    ax.set_yticks([])
    return drawn


def _components(rows: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates `[2, n]` of the chosen rows, and the shares `[2]` of the variance of all rows."""
    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore"):  # collapsed memories have no variance to share out
        found = PCA(2, svd_solver="full").fit(rows)
    return found.transform(rows[chosen]).T, np.nan_to_num(found.explained_variance_ratio_)


def _colours(classes: int) -> ListedColormap:
    """The colours of the charts for a few classes, a cyclic map for many."""
    if classes <= len(COLOURS):
        return ListedColormap(list(COLOURS[:classes]))
    return ListedColormap(mpl.colormaps["hsv"](np.linspace(0, 0.92, classes)))


class Section(NamedTuple):
    """A question, the lines that answer it and its figures."""

    question: str
    lines: Sequence[str]
    figures: Sequence[Figure]


def write_page(path: Path, title: str, sections: Mapping[str, Section]) -> Path:
    """Write the page as a whole or not at all; raises `UsageError` when it can't."""
    return templates.write_page(path, "analysis.html", title=title, sections=sections)
