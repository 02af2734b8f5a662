"""L4. The page of `analyse` and its figures."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from torch import Tensor

from pastforward.analysis.credit import Credit
from pastforward.analysis.gap import Gap
from pastforward.analysis.lengths import AtLength, Point
from pastforward.analysis.probe import Memories, Probe
from pastforward.losses import relevant
from pastforward.report import charts, templates
from pastforward.report.charts import Curve
from pastforward.report.colours import COLOURS, GREY, INK, LINE, SOFT, colour_of

WHOSE = {"student": COLOURS[0], "targets": COLOURS[1], "untrained": GREY}
_CAUSES = {
    "readout": COLOURS[4], "one step": COLOURS[2], "compounding": COLOURS[3], "start": COLOURS[5],
}  # fmt: skip
_DOTS = 3000
"""Memories drawn on a map at most."""


class Section(NamedTuple):
    """A question, the lines that answer it and its figures."""

    question: str
    lines: Sequence[str]
    figures: Sequence[Figure]


def write_page(path: Path, title: str, sections: Mapping[str, Section]) -> Path:
    """Write the page as a whole or not at all; raises `UsageError` when it can't."""
    return templates.write_page(path, "analysis.html", title=title, sections=sections)


def gap_figure(gaps: Mapping[str, Gap]) -> Figure:
    """Loss and drift after k steps beside the parts of the gap, for one student or several."""
    figure = Figure(figsize=(9.8, 4.6), layout="constrained")
    axes = figure.subplot_mosaic(
        [["loss", "parts"], ["drift", "parts"]], height_ratios=[1.7, 1], width_ratios=[1.15, 1]
    )
    for place, (name, gap) in enumerate(gaps.items()):
        steps, colour = [*gap.after.values(), gap.alone], COLOURS[place]
        for what, field in (("loss", "nats"), ("drift", "drift")):
            values = [getattr(loss, field) for loss in steps]
            label = f"{name}, {gap.total:+.3f} alone"
            charts.draw(axes[what], Curve(range(len(values)), values, colour, label, width=2))
    for level in dict.fromkeys(gap.teacher.nats for gap in gaps.values()):
        axes["loss"].axhline(level, color=INK, lw=1.3, ls="--", label=f"teacher {level:.3f}")
    for what in ("loss", "drift"):
        ticks = [*map(str, next(iter(gaps.values())).after), "alone"]
        axes[what].set_xticks(range(len(ticks)), ticks)
        axes[what].set_ylim(bottom=min(0.0, axes[what].get_ylim()[0]))
    unit = f"{next(iter(gaps.values())).unit} per output"
    charts.dress(axes["loss"], "After k of its own steps from a target", "", unit)
    charts.dress(axes["drift"], "", "k", "drift / variance")
    charts.legend(axes["loss"])
    _bars_of_parts(axes["parts"], gaps)
    charts.dress(axes["parts"], "From the teacher to the student alone", unit, "")
    return figure


def credit_figure(panels: Mapping[str, Mapping[str, Credit]]) -> Figure:
    """Norms of dL/dm_t against t, a panel by loss; dashed where a name says 'F = 1'."""
    figure = Figure(figsize=(3.9 * len(panels) + 0.6, 4.3), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        for name, credit in curves.items():
            place, style = names.index(name), "--" if "F = 1" in name else "-"
            norms = [norm if norm > 0.0 else math.nan for norm in credit.norms]
            # Later lines are thinner, so that those below the same line still show.
            width, marker = 5.2 - 3.6 * place / max(1, len(names) - 1), _lone(norms)
            ax.plot(credit.times, norms, style, color=colour_of(place), lw=width,
                    marker=marker, ms=4, label=name)  # fmt: skip
        ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        charts.dress(ax, title, "t", "")
    axes[0].set_ylabel("mean of |dL / dm$_t$|", color=SOFT, size=9.5)
    lines = {line.get_label(): line for ax in axes for line in ax.get_lines()}
    figure.legend(
        [lines[name] for name in names], names, loc="outside lower center",
        ncols=min(len(names), 2 * len(panels)), frameon=False, fontsize=8.5, labelcolor=INK,
    )  # fmt: skip
    return figure


def lengths_figure(found: Sequence[AtLength], trained: int) -> Figure:
    """Loss and, for symbols, accuracy against length; trained lengths on a grey ground."""
    counted = found[0].student.accuracy is not None
    figure = Figure(figsize=(9.6 if counted else 5.2, 3.7), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, 2 if counted else 1))
    lengths = [row.length for row in found]
    for ax, what in zip(axes, ("nats", "accuracy"), strict=False):
        for name in ("student", "teacher"):
            scores = [getattr(row, name) for row in found]
            if None not in scores:
                colour = COLOURS[0 if name == "student" else 1]
                values = [getattr(score, what) for score in scores]
                charts.draw(ax, Curve(lengths, values, colour, name, width=2))
        _powers_of_two(ax, lengths)
        ax.axvspan(lengths[0] / 1.25, trained * 1.08, color=LINE, alpha=0.5, lw=0, zorder=0)
        ax.set_xlim(lengths[0] / 1.25, lengths[-1] * 1.25)
    references = charts.with_gaps(row.reference for row in found)
    axes[0].plot(lengths, references, ":", color=GREY, lw=1.6, label="unigram reference")
    axes[0].set_ylim(bottom=min(0.0, axes[0].get_ylim()[0]))
    unit = f"{found[0].student.unit} per output"
    charts.dress(axes[0], f"Loss by length, trained at T = {trained:,}", "length", unit)
    charts.legend(axes[0])
    if counted:
        charts.percent_axis(axes[1])
        charts.dress(axes[1], "Outputs right", "length", "")
    return figure


def memory_loss_figure(found: Mapping[str, Sequence[Point]]) -> Figure:
    """Loss against memory size, a line by budget, one deviation over seeds as a band."""
    figure = Figure(figsize=(5.8, 3.9), layout="constrained")
    ax = figure.subplots()
    sizes = sorted({point.size for points in found.values() for point in points})
    shades = mpl.colormaps["viridis"](np.linspace(0.85, 0.1, len(found)))
    for colour, (budget, points) in zip(shades, found.items(), strict=True):
        x, y = [p.size for p in points], np.array([p.nats for p in points])
        spread = np.array([p.spread for p in points])
        ax.fill_between(x, y - spread, y + spread, color=colour, alpha=0.18, lw=0)
        charts.draw(ax, Curve(x, y.tolist(), to_hex(colour), budget, width=2))
    _powers_of_two(ax, sizes)
    charts.dress(ax, "Loss against memory size", "K · D, numbers in a memory", "nats per output")
    charts.legend(ax, "budget")
    return figure


def probes_figure(title: str, probes: Mapping[str, Probe]) -> Figure:
    """Accuracy of a linear probe by t, by whose memories; always the most frequent, dotted."""
    first = next(iter(probes.values()))
    curves = {
        whose: (f"{whose} {p.accuracy:.1%}", charts.with_gaps(p.by_time))
        for whose, p in probes.items()
    }
    figure = _accuracies(curves, "most frequent at t", charts.with_gaps(first.majority_by_time))
    charts.dress(figure.axes[0], title, "t", "right, held out")
    return figure


def future_figure(probes: Mapping[str, Sequence[Probe]]) -> Figure:
    """Accuracy of linear probes of y_{t+j-1} from m_t against j, by whose memories."""
    first = next(iter(probes.values()))
    curves = {whose: (whose, [probe.accuracy for probe in row]) for whose, row in probes.items()}
    figure = _accuracies(curves, "most frequent", [probe.majority for probe in first])
    title = "Outputs to come, read off a memory by a linear probe"
    charts.dress(figure.axes[0], title, "j: output y$_{t+j-1}$ from m$_t$", "right, held out")
    return figure


def _accuracies(
    curves: Mapping[str, tuple[str, Sequence[float]]], base: str, frequent: Sequence[float]
) -> Figure:
    """Accuracies at 1, 2, ... by whose memories, each with its label; those of `base` dotted."""
    figure = Figure(figsize=(6.6, 3.7), layout="constrained")
    ax = figure.subplots()
    for whose, (label, values) in curves.items():
        charts.draw(ax, Curve(range(1, len(values) + 1), values, WHOSE[whose], label, width=2))
    charts.draw(ax, Curve(range(1, len(frequent) + 1), frequent, INK, base, ":", width=1.5))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    charts.percent_axis(ax)
    charts.legend(ax)
    return figure


def _bars_of_parts(ax: Axes, gaps: Mapping[str, Gap]) -> None:
    """The parts of each gap as steps from the teacher's loss to the student's alone."""
    height = 0.8 / len(gaps)
    for place, gap in enumerate(gaps.values()):
        level, shares = gap.teacher.nats, gap.shares or {}
        for row, (cause, part) in enumerate(gap.parts.items()):
            y = row + (place - (len(gaps) - 1) / 2) * height
            colour = _CAUSES[cause] if len(gaps) == 1 else COLOURS[place]
            ax.barh(y, part, height * 0.86, left=level, color=colour)
            share = f"  {part:+.3f}" + (f" ({shares[cause]:.0%})" if shares else "")
            ax.text(max(level, level + part), y, share, va="center", size=8.5, color=INK)
            level += part
    ax.set_yticks(range(len(_CAUSES)), list(_CAUSES))
    ax.invert_yaxis()
    low, high = ax.get_xlim()
    ax.set_xlim(low, high + 0.35 * (high - low))


def _powers_of_two(ax: Axes, ticks: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())


def _lone(values: Sequence[float]) -> str | None:
    """A dot for a line of so few points that it would not show."""
    return "o" if np.isfinite(values).sum() <= 3 else None


def memory_map(memories: Memories, state: str | None) -> Figure:
    """A panel by whose memories, each in its own two components; without a state, coloured by t."""
    figure = Figure(figsize=(3.3 * len(memories.by) + 0.9, 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(memories.by)))
    shape = memories.batch.mask.shape
    times = np.broadcast_to(np.arange(1, shape[1] + 1), shape)
    values = times if state is None else memories.states[state].numpy()
    drawn, real = None, relevant(memories.batch.mask)
    for ax, (whose, rows) in zip(axes, memories.by.items(), strict=True):
        drawn = _panel(ax, whose, rows[real], values[real.numpy()], state is None)
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
    flat, colours = rows.numpy(), values
    chosen = np.random.default_rng(0).permutation(len(flat))[:_DOTS]
    (x, y), (first, second) = _components(flat, chosen)
    low, high = (colours.min(), colours.max()) if smooth else (-0.5, colours.max() + 0.5)
    colour_map = mpl.colormaps["viridis"] if smooth else _colours(int(colours.max()) + 1)
    # Rasterized: thousands of dots as vectors would make a page of megabytes.
    drawn = ax.scatter(x, y, c=colours[chosen], s=7, alpha=0.75, lw=0, cmap=colour_map, vmin=low,
                       vmax=high, rasterized=True)  # fmt: skip
    charts.dress(ax, whose, f"component 1 ({first:.0%} of variance)", f"component 2 ({second:.0%})")
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
