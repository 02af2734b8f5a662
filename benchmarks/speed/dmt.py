"""On-policy transitions per second: parallel windows over the paper's sequential rollout."""

import statistics
from collections.abc import Callable, Iterator

import torch

from benchmarks.speed.measuring import Row, interleaved, ratios, require_same
from benchmarks.speed.networks import SYMBOLS, networks, symbols
from benchmarks.speed.rivals import PaperDMT
from pastforward.config import Budget
from pastforward.methods import DMTConfig
from pastforward.methods.base import Method
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training import FitConfig
from pastforward.training.loop import Fit
from pastforward.types import Batch, Signature, Tokens

LENGTH, BATCH, SLOTS, EVERY, TARGET = 256, 16, 4, 16, 10.0


def run() -> Iterator[Row]:
    """T = 256, K = 4, D = 64, 16 sequences, windows of 8 steps; both eager, in the usual loop.

    A transition counts when the student made it from a memory of its own and has a target memory
    to compare it with: T a sequence here, T / 16 there. The second row of a cell counts every step
    of the rival's rollout as one, with a target or not.
    """
    for cell in ("gru", "transformer"):
        student, teacher = networks(LENGTH, cell, SLOTS)
        ours = WindowDMT(student, teacher, DMTConfig(window=8))
        _require_parity(student, teacher)
        student, teacher = networks(LENGTH, cell, SLOTS, "window")
        paper = PaperDMT(student, teacher, EVERY)
        groups = {"ours": _steps(ours, ours.replay_steps), "paper": _steps(paper, 1)}
        seconds = interleaved(groups, 12.0)
        rates = [ours.replay_steps * BATCH * LENGTH / s for s in seconds["ours"]]
        with_target = [BATCH * LENGTH / EVERY / s for s in seconds["paper"]]
        stepped = [EVERY * rate for rate in with_target]
        serial = f"serial cell calls a step: {ours.serial_calls(LENGTH)}, {LENGTH} in the rival"
        for what, rivals, target in (
            ("transitions with a target", with_target, TARGET),
            ("steps of the rollout", stepped, None),
        ):
            ratio, spread = ratios(rates, rivals)
            yield Row(
                "dmt", f"{cell} cell, {what}", ratio, ">=", target, spread,
                statistics.median_high(rates), statistics.median_high(rivals), "transitions/s",
                serial,
            )  # fmt: skip


def _require_parity(student: Student, teacher: Teacher) -> None:
    """One window of the whole length is the sequential rollout."""
    batch, generator = symbols(2, 33), torch.Generator()
    window = WindowDMT(student, teacher, DMTConfig(window=33)).losses(batch, generator)
    unroll = UnrollDMT(student, teacher, DMTConfig()).losses(batch, generator)
    require_same("a window of the whole length", window.total, unroll.total, 1e-4)


class _Same:
    """Batches that are all the same."""

    signature = Signature(Tokens(SYMBOLS), Tokens(SYMBOLS), LENGTH)

    def batch(self, seed: int, index: int, size: int) -> Batch:
        """As `Batches` of the training loop."""
        return symbols(size, LENGTH)


def _steps(method: Method, count: int) -> Callable[[], object]:
    """`count` optimiser steps of the usual loop: all replay steps of one batch."""
    fit = Fit(method, _Same(), 1e-4, Budget(steps=10**9), FitConfig(batch=BATCH))
    return lambda: [fit.step() for _ in range(count)]
