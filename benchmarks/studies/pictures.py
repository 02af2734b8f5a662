"""The figures of docs/results.md that are drawn from benchmarks/results/."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.paths import DOCS
from benchmarks.studies.comparisons import CURVES, WITH_MLP, WITH_OTHERS
from benchmarks.studies.files import read, rows_of
from pastforward.runs.comparison.results import Line, aggregate

STRATEGIES = {"bptt": ("BPTT", "#f59e0b", "--"), "smt+dmt": ("SMT then DMT", "#3b82f6", "-"),
        "smt+dmt+bptt": ("SMT, DMT, BPTT", "#10b981", "-")}  # fmt: skip
TASKS = "retrieval", "copy", "key_values", "modular", "s5", "parity", "stack"
CELLS = "mlp", "elman", "gru", "transformer"
COSTS = {"seconds": "seconds", "tokens": "positions read", "calls": "cell calls in a row"}
DOTS = 110


def draw_pictures() -> None:
    """Outputs right against T, and loss against cost."""
    lines = aggregate(rows_of(*WITH_MLP, *WITH_OTHERS))
    if lines:
        save(lengths(lines), "results-lengths")
    curves = [curve for name in CURVES for curve in read(name, "curves")]
    if curves:
        save(costs(curves), "results-costs")


def lengths(lines: Sequence[Line]) -> Figure:
    """Outputs right against T: a column for each task, a row for each cell."""
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    axes = figure.subplots(len(CELLS), len(TASKS), sharex=True, sharey=True)
    for row, cell in zip(axes, CELLS, strict=True):
        for ax, task in zip(row, TASKS, strict=True):
            own = [one for one in lines
                   if one.setting.cell == cell and family(one.setting.task) == task]  # fmt: skip
            for strategy in ("bptt", "smt+dmt"):
                points = sorted((one.length or 0, one.accuracy.mean) for one in own
                                if one.setting.strategy == strategy and one.accuracy)  # fmt: skip
                line(ax, strategy, *zip(*points, strict=True) if points else ((), ()))
            ax.set_xscale("log", base=2)
            ax.set_xticks((32, 128, 512), ("32", "128", "512"), minor=False)
            ax.set_ylim(-0.04, 1.04)
        row[0].set_ylabel(f"{cell}\noutputs right", size=9)
    for ax, task in zip(axes[0], TASKS, strict=True):
        ax.set_title(task, size=10)
    for ax in axes[-1]:
        ax.set_xlabel("T", size=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2,
                  frameon=False)  # fmt: skip
    return figure


def costs(curves: Sequence[dict[str, Any]]) -> Figure:
    """Held-out loss during training: a column for each task, a row for each cost."""
    tasks = [task for task in dict.fromkeys(curve["task"] for curve in curves)
             if task in ("copy:128", "modular:128", "mnist", "tinystories")]  # fmt: skip
    figure = Figure(figsize=(3.2 * len(tasks), 7.4), layout="constrained")
    axes = figure.subplots(len(COSTS), len(tasks), squeeze=False)
    for row, (cost, label) in zip(axes, COSTS.items(), strict=True):
        for ax, task in zip(row, tasks, strict=True):
            own = [curve for curve in curves if curve["task"] == task]
            for curve in own:
                line(ax, curve["strategy"], curve[cost], curve["valid"])
            ends = [value for curve in own for value in curve["valid"]]
            ax.set_ylim(top=min(max(ends), 2.5 * float(np.median(ends)) + 0.2))
            ax.set_xlabel(label, size=9)
            if cost == "calls":
                ax.set_xscale("log")
        row[0].set_ylabel("held-out nats an output", size=9)
    for ax, task in zip(axes[0], tasks, strict=True):
        ax.set_title(task, size=10)
    shown = dict(zip(*reversed(axes[0, -1].get_legend_handles_labels()), strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside upper right", ncols=3,
                  frameon=False)  # fmt: skip
    return figure


def line(ax: Axes, strategy: str, x: Sequence[float], y: Sequence[float]) -> None:
    label, colour, style = STRATEGIES[strategy]
    ax.plot(x, y, style, color=colour, label=label, marker="o", ms=3, lw=1.6)
    ax.grid(alpha=0.25)
    ax.tick_params(labelsize=8)


def family(task: str) -> str:
    return task.partition(":")[0]


def save(figure: Figure, name: str) -> None:
    path = DOCS / f"{name}.png"
    figure.savefig(path, dpi=DOTS)
    print(f"Figure: {path}")
