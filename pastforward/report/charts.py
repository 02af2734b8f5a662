"""L4. Pictures: curves as SVG that takes its colours from the page, images as PNG.

Figures are made without pyplot, so none is kept alive and no display is needed.
"""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator

from pastforward.analysis.samples import ImageSamples
from pastforward.files import write_atomically

COLOURS = ("#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6", "#06b6d4", "#ec4899", "#84cc16")
GREY = "#8b93a1"

# Stand-ins that `svg` turns into the page's own colours, light or dark.
_INK, _LINE = "#010203", "#040506"
_GIVEN = np.array([0.45, 0.72, 1.0])
_FEW = 40


@dataclass(frozen=True)
class Curve:
    """A line of a chart; NaN breaks it."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    label: str = ""
    style: str = "-"
    error: Sequence[float] = ()
    """Half the height of a bar at every point; none when empty."""


def chart(
    curves: Sequence[Curve], x_label: str, y_label: str, top: float | None = None,
    x_scale: str = "linear",
) -> Figure:  # fmt: skip
    """Lines on one pair of axes, cut above `top` where one passes it; x_scale may be 'log'."""
    figure = Figure(figsize=(5.4, 3.1), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        finite = np.isfinite(np.asarray(curve.y, dtype=float)).sum()
        marker = "o" if 0 < finite <= _FEW and curve.style == "-" else None
        label = curve.label or None
        axes.errorbar(
            curve.x, curve.y, yerr=curve.error or None, ls=curve.style, color=curve.colour,
            label=label, lw=1.8, marker=marker, ms=3, elinewidth=1.2, capsize=3,
        )  # fmt: skip
    axes.set_xscale(x_scale)
    if x_scale == "linear":
        whole = all(isinstance(curve.x, range) for curve in curves)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole))
    if top is not None and axes.get_ylim()[1] > top:
        axes.set_ylim(top=top)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    _style(axes)
    return figure


def svg(figure: Figure) -> str:
    """The figure as an `<svg>` element for a page, its ink in the page's CSS variables."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pastforward"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", text)
    return text.replace(_INK, "var(--ink)").replace(_LINE, "var(--line)")


def tile(images: np.ndarray, scale: int = 4, columns: int | None = None) -> np.ndarray:
    """Greys `[C, H, W]` or colours `[C, H, W, 3]` in rows, with clear gaps: RGBA `[h, w, 4]`."""
    colours = images if images.ndim == 4 else np.repeat(images[..., None], 3, -1)
    rgba = np.pad(colours, [(0, 0)] * 3 + [(0, 1)], constant_values=1.0)
    rgba = rgba.repeat(scale, 1).repeat(scale, 2)
    gap = max(1, scale)
    rgba = np.pad(rgba, [(0, 0), (0, gap), (0, gap), (0, 0)])
    columns = columns or len(rgba)
    lines = [rgba[i : i + columns] for i in range(0, len(rgba), columns)]
    whole = [np.concatenate(list(line), 1) for line in lines]
    width = max(line.shape[1] for line in whole)
    whole = [np.pad(line, [(0, 0), (0, width - line.shape[1]), (0, 0)]) for line in whole]
    return np.concatenate(whole)[:-gap, :-gap]


def tint(samples: ImageSamples) -> np.ndarray:
    """The completed images in colour `[C, H, W, 3]`, the pixels that were given in blue."""
    grey = samples.completed[..., None]
    given = np.arange(grey[0].size).reshape(grey.shape[1:]) < samples.given
    return np.where(given, 0.12 + 0.88 * grey * _GIVEN, np.repeat(grey, 3, -1))


def png(pixels: np.ndarray) -> bytes:
    """RGBA `[h, w, 4]` in [0, 1] as a PNG file."""
    buffer = io.BytesIO()
    imsave(buffer, np.clip(pixels, 0.0, 1.0), format="png")
    return buffer.getvalue()


def save_images(path: Path | str, samples: ImageSamples, scale: int = 8) -> None:
    """New, completed (given pixels in blue) and original images, a row each, as a PNG file.

    Raises `UsageError` when the place can't be written.
    """
    new, original = (np.repeat(part[..., None], 3, -1) for part in (samples.new, samples.original))
    rows = np.concatenate([new, tint(samples), original])
    write_atomically(path, png(tile(rows, scale, columns=len(new))))


def data_uri(content: bytes) -> str:
    """A PNG file as the source of an `<img>` that loads nothing."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def _style(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_LINE)
    axes.grid(color=_LINE, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, length=0, labelsize=9)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=_INK, size=9.5)
