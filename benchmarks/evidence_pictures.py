"""The pictures of docs/results.md, from the rows in benchmarks/results/ and from finished runs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from evidence_parts import CURVES, DOCS, ROOT, WITH_MLP, WITH_OTHERS, read
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread, imsave

from pastforward.runs.comparison.results import Line, Row, aggregate

STRATEGIES = {"bptt": ("BPTT", "#f59e0b", "--"), "smt+dmt": ("SMT then DMT", "#3b82f6", "-"),
        "smt+dmt+bptt": ("SMT, DMT, BPTT", "#10b981", "-")}  # fmt: skip
TASKS = "retrieval", "copy", "key_values", "modular", "s5", "parity", "stack"
CELLS = "mlp", "elman", "gru", "transformer"
COSTS = {"seconds": "seconds", "tokens": "positions read", "calls": "cell calls in a row"}
MAPS = {"parity32": "parity", "s532-elements2": "product", "retrieval128": "marked",
        "copy64": "due"}  # fmt: skip
"""Which true state colours the memories of which task."""
DOTS = 110


def draw_pictures() -> None:
    """Those that rows alone tell."""
    lines = lines_of((*WITH_MLP, *WITH_OTHERS))
    if lines:
        save(lengths(lines), "results-lengths")
    curves = [curve for name in CURVES for curve in read(name, "curves")]
    if curves:
        save(costs(curves), "results-costs")


def lines_of(names: Iterable[str]) -> list[Line]:
    return aggregate([Row(**row) for name in names for row in read(name)])


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
    """Held-out loss on the way: a column for each task, a row for each cost."""
    tasks = [task for task in dict.fromkeys(curve["task"] for curve in curves)
             if task in ("copy:128", "modular:128", "mnist", "tinystories")]  # fmt: skip
    figure = Figure(figsize=(3.2 * len(tasks), 7.4), layout="constrained")
    axes = figure.subplots(len(COSTS), len(tasks), squeeze=False)
    for row, (cost, target) in zip(axes, COSTS.items(), strict=True):
        for ax, task in zip(row, tasks, strict=True):
            own = [curve for curve in curves if curve["task"] == task]
            for curve in own:
                line(ax, curve["strategy"], curve[cost], curve["valid"])
            ends = [value for curve in own for value in curve["valid"]]
            ax.set_ylim(top=min(max(ends), 2.5 * float(np.median(ends)) + 0.2))
            ax.set_xlabel(target, size=9)
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
    target, colour, style = STRATEGIES[strategy]
    ax.plot(x, y, style, color=colour, target=target, marker="o", ms=3, lw=1.6)
    ax.grid(alpha=0.25)
    ax.tick_params(labelsize=8)


def draw_maps(runs: Iterable[str]) -> None:
    """Maps of the memories that DMT ended with, by `pastforward analyse`, one below the other."""
    found = {run.split("/")[1]: ROOT / "runs" / f"evidence-{run}" / "analysis"
             for run in runs if "smt+dmt" in run}  # fmt: skip
    paths = [found[task] / f"geometry-{state}.png" for task, state in MAPS.items() if task in found]
    stack([path for path in paths if path.exists()], DOCS / "results-memories.png", 2)


def stack(paths: Sequence[Path], out: Path, less: int) -> None:
    """Pictures below each other on white, each pixel the mean of `less` squared."""
    if not paths:
        return
    parts = [shrunk(imread(path), less) for path in paths]
    wide = max(part.shape[1] for part in parts)
    padded = [np.pad(part, [(0, 8), (0, wide - part.shape[1]), (0, 0)], constant_values=1.0)
              for part in parts]  # fmt: skip
    imsave(out, np.clip(np.concatenate(padded), 0.0, 1.0))
    print(f"Picture: {out}")


def shrunk(pixels: np.ndarray, less: int) -> np.ndarray:
    """RGB on white."""
    opaque = pixels[..., 3:] if pixels.shape[-1] == 4 else np.ones_like(pixels[..., :1])
    rgb = pixels[..., :3] * opaque + 1.0 - opaque
    height, width = (size // less * less for size in rgb.shape[:2])
    blocks = rgb[:height, :width].reshape(height // less, less, width // less, less, 3)
    return blocks.mean((1, 3))


def family(task: str) -> str:
    return task.partition(":")[0]


def save(figure: Figure, name: str) -> None:
    path = DOCS / f"{name}.png"
    figure.savefig(path, dpi=DOTS)
    print(f"Picture: {path}")
