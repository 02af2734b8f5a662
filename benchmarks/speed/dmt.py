"""L5. On-policy transitions per second: parallel windows over the paper's sequential rollout."""

from collections.abc import Iterator

import torch

from benchmarks.speed.measuring import Row, interleaved, ratios, require_same
from benchmarks.speed.networks import networks, symbols
from benchmarks.speed.rivals import PaperDMT
from pastforward.config import Budget, DMTConfig, FitConfig
from pastforward.methods.base import Method
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.loop import Fit
from pastforward.types import Batch, Signature, Tokens

LENGTH, BATCH, SLOTS, EVERY, TARGET = 256, 16, 4, 16, 10.0


def run() -> Iterator[Row]:
    """T = 256, K = 4, D = 64, 16 sequences, windows of 8 steps; both eager, in the usual loop.

    A transition counts when the student made it from a memory of its own and is told by a label
    where it should have gone: T a sequence here, T / 16 there. The second row of a cell counts
    every step of the rival's rollout as one, labelled or not.
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
        labelled = [BATCH * LENGTH / EVERY / s for s in seconds["paper"]]
        stepped = [EVERY * rate for rate in labelled]
        serial = f"serial cell calls a step: {ours.serial_calls(LENGTH)}, {LENGTH} in the rival"
        for what, rivals, target in (
            ("labelled transitions", labelled, TARGET), ("steps of the rollout", stepped, None),
        ):  # fmt: skip
            ratio, spread = ratios(rates, rivals)
            yield Row(
                "dmt", f"{cell} cell, {what}", ratio, ">=", target, spread,
                sorted(rates)[len(rates) // 2], sorted(rivals)[len(rivals) // 2], "transitions/s",
                serial,
            )  # fmt: skip


def _require_parity(student: Student, teacher: Teacher) -> None:
    """One window of the whole length is the sequential rollout."""
    batch, generator = symbols(2, 33), torch.Generator()
    window = WindowDMT(student, teacher, DMTConfig(window=33)).losses(batch, generator)
    unroll = UnrollDMT(student, teacher, DMTConfig()).losses(batch, generator)
    require_same("a window of the whole length", window.total, unroll.total, 1e-4)


class _Same:
    """One batch again and again."""

    signature = Signature(Tokens(64), Tokens(64), LENGTH)

    def batch(self, seed: int, index: int, size: int) -> Batch:
        """See `Batches`."""
        return symbols(size, LENGTH)


def _steps(method: Method, count: int):
    """`count` optimiser steps of the usual loop: all visits of one batch."""
    fit = Fit(method, _Same(), 1e-4, Budget(steps=10**9), FitConfig(batch=BATCH))
    return lambda: [fit.step() for _ in range(count)]
