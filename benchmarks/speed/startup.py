"""Seconds from `pastforward train` to its first optimiser step, compilation included."""

import tempfile
from collections.abc import Iterator

from benchmarks.speed.measuring import Row, run_module

TARGET, REPEATS = 15.0, 2


def run() -> Iterator[Row]:
    """`train digits`, compiled, once to fill the compiler's cache and then again; and eagerly."""
    with tempfile.TemporaryDirectory() as folder:
        first = _seconds(folder, "on")
        again = sorted(_seconds(folder, "on") for _ in range(REPEATS))
        eager = _seconds(folder, "off")
    ratio = again[len(again) // 2]
    yield Row(
        "startup", "train digits, compiled, second run", ratio, "<=", TARGET,
        (again[0], again[-1]), ratio, eager, "s",
        f"{first:.1f} s for the run before it; the rival is the same run, not compiled",
    )  # fmt: skip


def _seconds(folder: str, compiled: str) -> float:
    words = ("train", "digits", "--fit.compile", compiled, "--overwrite")
    return run_module("benchmarks.speed.first_step", *words, folder=folder)[1]
