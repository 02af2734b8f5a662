"""Timing rivals fairly: in one process, in turns, medians; and a row for each comparison."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.paths import ROOT

LEAST_ROUNDS = 3


class BenchError(RuntimeError):
    """A benchmark that can't be reported: its two sides disagree, or one of them failed."""


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` meets a `target` from above (">=") or from below ("<=")."""

    name: str
    case: str
    ratio: float
    sense: str
    target: float | None
    """None where a row is shown for comparison only."""
    spread: tuple[float, float]
    """Quartiles of the ratio over rounds."""
    ours: float
    rival: float
    unit: str
    """Of `ours` and `rival`."""
    bound: str = ""
    """What limits the ratio, with the count."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further figures of it, for its page."""

    @property
    def met(self) -> bool | None:
        """Is the target met? None where there is none."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.sense == ">=" else self.ratio <= self.target

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self) | {"met": self.met}


def interleaved(
    parts: Mapping[str, Callable[[], object]], seconds: float = 8.0, least: int = LEAST_ROUNDS
) -> dict[str, list[float]]:
    """Seconds of each part, round after round, for about `seconds` in all.

    At least `least` rounds, after one that does not count. With `least=1` there is no such round:
    parts then take seconds each and have been warmed up by the caller.
    """
    for part in parts.values() if least > 1 else ():
        part()  # buffers, caches and compilers warm up
    times: dict[str, list[float]] = {name: [] for name in parts}
    begin, rounds = time.perf_counter(), 0
    while rounds < least or time.perf_counter() - begin < seconds:
        for name, part in parts.items():
            times[name].append(_once(part))
        rounds += 1
    return times


def _once(part: Callable[[], object]) -> float:
    begin = time.perf_counter()
    part()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """First and third; the ends where there are few values."""
    if len(values) < 4:
        return min(values), max(values)
    first, _, third = statistics.quantiles(values, n=4)
    return first, third


def ratios(above: Sequence[float], below: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Median and quartiles of the quotient, round by round."""
    found = [a / b for a, b in zip(above, below, strict=True)]
    return statistics.median(found), quartiles(found)


def require_same(what: str, found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Raise `BenchError` when they differ by more than `tolerance` anywhere."""
    gap = float((found - expected).detach().abs().max())
    if not gap <= tolerance:
        raise BenchError(f"{what}: differs from its reference by {gap:.2g}, over {tolerance:.2g}.")


def run_module(
    module: str, *words: str, folder: str | Path = ROOT, **environment: str
) -> tuple[str, float]:
    """Output and seconds of `python -m module words`, run in `folder`.

    Raises `BenchError` where it fails.
    """
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=folder, env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"{module} {' '.join(words)} failed: {done.stderr.strip()[-300:]}")
    return done.stdout, time.perf_counter() - begin
