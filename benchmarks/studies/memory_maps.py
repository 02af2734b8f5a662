"""The figure of memories in docs/results.md: maps that `pastforward analyse` drew, stacked."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.image import imread, imsave

from benchmarks.paths import DOCS, RUNS

MAPS = {"parity32": "parity", "s532-elements2": "product", "retrieval128": "marked",
        "copy64": "due"}  # fmt: skip
"""Which true state colours the memories of which task."""


def draw_maps(runs: Iterable[str]) -> None:
    """Maps of the memories that DMT ended with, one below the other."""
    found = {run.split("/")[1]: RUNS / f"evidence-{run}" / "analysis"
             for run in runs if "smt+dmt" in run}  # fmt: skip
    paths = [found[task] / f"geometry-{state}.png" for task, state in MAPS.items() if task in found]
    stack([path for path in paths if path.exists()], DOCS / "results-memories.png", 2)


def stack(paths: Sequence[Path], out: Path, less: int) -> None:
    """Images below each other on white, each pixel the mean of `less` x `less`."""
    if not paths:
        return
    parts = [shrunk(imread(path), less) for path in paths]
    wide = max(part.shape[1] for part in parts)
    padded = [np.pad(part, [(0, 8), (0, wide - part.shape[1]), (0, 0)], constant_values=1.0)
              for part in parts]  # fmt: skip
    imsave(out, np.clip(np.concatenate(padded), 0.0, 1.0))
    print(f"Figure: {out}")


def shrunk(pixels: np.ndarray, less: int) -> np.ndarray:
    """RGB on white."""
    opaque = pixels[..., 3:] if pixels.shape[-1] == 4 else np.ones_like(pixels[..., :1])
    rgb = pixels[..., :3] * opaque + 1.0 - opaque
    height, width = (size // less * less for size in rgb.shape[:2])
    blocks = rgb[:height, :width].reshape(height // less, less, width // less, less, 3)
    return blocks.mean((1, 3))
