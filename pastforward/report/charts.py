"""L4. Charts in one style: SVG in the colours of a page, PNG for files; images as PNG.

Figures are made without pyplot, so none is kept alive and no display is needed.
"""

import base64
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pastforward.analysis.samples import ImageSamples
from pastforward.files import write_atomically
from pastforward.report.colours import GREY, INK, LINE, SOFT

_PAGE_COLOURS = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)"}
SMALL = (4.0, 2.7)
"""Inches of a chart that stands in a row of three, so that its text is as large as elsewhere."""
_CUT = 1.5
_FEW = 40
_GIVEN = np.array([0.45, 0.72, 1.0])


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
    width: float = 1.8


class Chart(NamedTuple):
    """A figure on a page; the templates draw it as SVG."""

    title: str
    note: str
    figure: Figure


def with_gaps(values: Iterable[float | None]) -> list[float]:
    """NaN, at which a curve breaks, in place of None."""
    return [math.nan if value is None else value for value in values]


def chart(
    curves: Sequence[Curve], x_label: str, y_label: str, levels: Sequence[float] = (),
    x_scale: str = "linear",
) -> Figure:  # fmt: skip
    """Lines on one pair of axes, with dotted horizontal ones at `levels`; a legend of labels."""
    figure = Figure(figsize=(5.4, 3.1), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        draw(axes, curve)
    for level in levels:
        axes.axhline(level, color=GREY, ls=":", lw=1.6)
    axes.set_xscale(x_scale)
    if x_scale == "linear":
        whole = all(isinstance(curve.x, range) for curve in curves)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole))
        axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    dress(axes, "", x_label, y_label)
    if any(curve.label for curve in curves):
        legend(axes)
    return figure


def _tick(value: float, _: int) -> str:
    scale, unit = next(((s, u) for s, u in ((1e6, "M"), (1e3, "k")) if value >= s), (1.0, ""))
    return f"{value / scale:g}{unit}"


def draw(axes: Axes, curve: Curve) -> None:
    """Add a curve; few points are marked with dots."""
    finite = np.isfinite(np.asarray(curve.y, dtype=float)).sum()
    marker = "o" if 0 < finite <= _FEW and curve.style == "-" else None
    axes.errorbar(
        curve.x, curve.y, yerr=curve.error or None, ls=curve.style, color=curve.colour,
        label=curve.label or None, lw=curve.width, marker=marker, ms=3.5, elinewidth=1.2, capsize=3,
    )  # fmt: skip


def cut_above(figure: Figure, references: Sequence[float]) -> None:
    """Cut a loss chart at 1.5 times the largest reference loss, if that is above 0.

    A student that has not yet run alone can be far worse than chance, which would flatten the rest.
    """
    top = _CUT * max(references, default=0.0)
    axes = figure.axes[0]
    if 0.0 < top < axes.get_ylim()[1]:
        axes.set_ylim(top=top)


def dress(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    """Title, labels, grid and spines in the style of all charts."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.grid(color=LINE, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, length=0, labelsize=9, which="both")
    axes.set_title(title, loc="left", size=10.5, color=INK, pad=8)
    axes.set_xlabel(x_label, color=SOFT, size=9.5)
    axes.set_ylabel(y_label, color=SOFT, size=9.5)


def legend(axes: Axes, title: str | None = None) -> None:
    """A legend of what has a label, without a frame."""
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, title=title, title_fontsize=8.5)


def percent_axis(axes: Axes) -> None:
    """A y axis from 0% to 100%."""
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))


def svg(figure: Figure) -> Markup:
    """The figure as an `<svg>` element for a page, its ink in the page's CSS variables."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pastforward"}):
        figure.savefig(buffer, format="svg", dpi=150, transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", text)
    for colour, variable in _PAGE_COLOURS.items():
        text = text.replace(colour, variable)
    return Markup(text)


def save_figure(path: Path, figure: Figure) -> None:
    """Write a PNG as a whole or not at all; raises `UsageError` when it can't."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, facecolor="white")
    write_atomically(path, buffer.getvalue())


def tile(images: np.ndarray, scale: int = 4, columns: int | None = None) -> np.ndarray:
    """Greys `[C, H, W]` or colours `[C, H, W, 3]` in rows, with clear gaps: RGBA `[h, w, 4]`."""
    colours = images if images.ndim == 4 else np.repeat(images[..., None], 3, -1)
    rgba = np.pad(colours, [(0, 0)] * 3 + [(0, 1)], constant_values=1.0)
    rgba = rgba.repeat(scale, 1).repeat(scale, 2)
    gap = max(1, scale)
    rgba = np.pad(rgba, [(0, 0), (0, gap), (0, gap), (0, 0)])
    columns = columns or len(rgba)
    rows = [np.concatenate([*rgba[i : i + columns]], 1) for i in range(0, len(rgba), columns)]
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, [(0, 0), (0, width - row.shape[1]), (0, 0)]) for row in rows]
    return np.concatenate(rows)[:-gap, :-gap]


def tint(samples: ImageSamples) -> np.ndarray:
    """The completed images in colour `[C, H, W, 3]`, the pixels that were given in blue."""
    grey = samples.completed[..., None]
    given = np.arange(grey.shape[1] * grey.shape[2]).reshape(grey.shape[1:]) < samples.given
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
    write_atomically(path, png(image_rows(samples, scale)))


def image_rows(samples: ImageSamples, scale: int = 8) -> np.ndarray:
    """New, completed and original images, a row each: RGBA `[h, w, 4]` in [0, 1]."""
    new, original = (np.repeat(part[..., None], 3, -1) for part in (samples.new, samples.original))
    return tile(np.concatenate([new, tint(samples), original]), scale, columns=len(new))


def data_uri(content: bytes) -> str:
    """A PNG file as the source of an `<img>` that loads nothing."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
