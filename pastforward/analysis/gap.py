"""L4. The gap between teacher and student, and where the student loses it.

Let M(k)_t be the memory after k of the student's own steps from the target k steps before (from the
target of t = 0 where t < k), and L(k) the loss of its readout there, in nats per output. With L_T
the teacher's loss from its targets and L the student's alone from its m_0:

    L - L_T =  L(0) - L_T    readout       its readout against the teacher's, on the same targets
             + L(1) - L(0)   one step      error of one step from a target
             + L(T) - L(1)   compounding   further steps, from memories that are off already
             + L - L(T)      start         its m_0 against the target of t = 0

The parts add up to the gap by construction. Each may be negative, and L(k) need not rise with k: a
student trained on its own memories can be better there than a few steps away from a target.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from pastforward.analysis.evaluate import frozen, on_device
from pastforward.analysis.memory_meters import DriftMeter
from pastforward.analysis.meters import ScoreMeter
from pastforward.data.source import Source
from pastforward.losses import relevant
from pastforward.outputs import NATS, loss_unit
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch

_LEAST = 1e-6
"""A gap in nats below which shares of it mean nothing."""


@dataclass(frozen=True)
class Loss:
    """A readout's loss on one set of memories."""

    nats: float
    accuracy: float | None
    drift: float
    """Squared error to the targets over their variance, mean of t = 1..T; 0 for targets."""


@dataclass(frozen=True)
class Gap:
    """Losses from the teacher's, over k own steps from a target, to the student's alone."""

    sequences: int
    teacher: Loss
    after: dict[int, Loss]
    """The student's, after k of its own steps from a target: k = 0, 1, 2, 4, ..., T."""
    alone: Loss
    unit: str = NATS
    """Of losses, as people read it."""

    @property
    def total(self) -> float:
        """Nats per output by which the student alone is worse than its teacher."""
        return self.alone.nats - self.teacher.nats

    @property
    def parts(self) -> dict[str, float]:
        """The total in nats by cause."""
        zero, one, every = (self.after[k].nats for k in (0, 1, max(self.after)))
        return {
            "readout": zero - self.teacher.nats,
            "one step": one - zero,
            "compounding": every - one,
            "start": self.alone.nats - every,
        }

    @property
    def shares(self) -> dict[str, float] | None:
        """`parts` over the total; None where the total is below 1e-6 nats."""
        if self.total < _LEAST:
            return None
        return {name: part / self.total for name, part in self.parts.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        after = [{"steps": k} | asdict(loss) for k, loss in self.after.items()]
        derived = {"total": self.total, "parts": self.parts, "shares": self.shares}
        return asdict(self) | {"after": after} | derived


def loss_gap(
    student: Student, teacher: Teacher, source: Source, split: str = "test", limit: int = 512,
    size: int = 64,
) -> Gap:  # fmt: skip
    """Measure on the first `limit` sequences of a held-out split, `size` at a time.

    At most 2 T serial steps a batch, most of them for all starting times at once.
    """
    meters: dict[str | int, _Meter] = {}
    with frozen(student, teacher):
        for given in source.held_out(split, size, limit):
            batch = on_device(given, student)
            targets = teacher.targets(batch.x)
            for name, memories in _memories(student, targets, batch.x, source.signature.length):
                read = teacher.readout if name == "teacher" else student.readout
                meter = meters.setdefault(name, _Meter(student, source.signature.length))
                meter.add(read(memories[:, 1:]), batch, memories, targets)
    losses = {name: meter.read() for name, meter in meters.items()}
    after = {k: loss for k, loss in losses.items() if isinstance(k, int)}
    unit = loss_unit(student.signature.outputs)
    return Gap(meters["alone"].drift.count, losses["teacher"], after, losses["alone"], unit)


def after_steps(
    student: Student, targets: Tensor, x: Tensor, length: int
) -> Iterator[tuple[int, Tensor]]:
    """k and M(k) `[B, T+1, K, D]`, for k = 0, 1, 2, 4, ... below `length`, and `length`.

    It is that of the longest sequence: those of a batch of shorter ones have no more than T steps.
    """
    e = student.embed(x)
    doublings = [1 << n for n in range((length - 1).bit_length())]  # 1, 2, 4, ... below T
    memories = targets
    yield 0, memories
    for k in range(1, max(doublings, default=0) + 1):
        if k <= x.shape[1]:
            memories = torch.cat([targets[:, :1], student.cell(memories[:, :-1], e)], 1)
        if k in doublings:
            yield k, memories
    yield length, student.cell.rollout(targets[:, 0], e)


class _Meter:
    """Loss and drift of one set of memories."""

    def __init__(self, student: Student, length: int) -> None:
        self.score = ScoreMeter(student.signature.outputs, length)
        self.drift = DriftMeter(length, student.memory)

    def add(self, parameters: Tensor, batch: Batch, memories: Tensor, targets: Tensor) -> None:
        self.score.add(parameters, batch.y, batch.mask)
        self.drift.add(memories, targets, memories[:, 1:], relevant(batch.mask))

    def read(self) -> Loss:
        score, relative = self.score.read(), self.drift.read().relative[1:]
        return Loss(score.nats, score.accuracy, sum(relative) / len(relative))


def _memories(
    student: Student, targets: Tensor, x: Tensor, length: int
) -> Iterator[tuple[str | int, Tensor]]:
    """Whose readout reads which memories `[B, T+1, K, D]`: 'teacher', k own steps, 'alone'."""
    yield "teacher", targets
    yield from after_steps(student, targets, x, length)
    yield "alone", student.rollout(x)
