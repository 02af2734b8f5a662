"""L4. What checks read (networks, data, measurements they share) and what they return."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pastforward.analysis.evaluate import Evaluation, frozen, measure, on_device
from pastforward.config import RunConfig
from pastforward.data.source import BEST_POSSIBLE, Source
from pastforward.errors import UsageError
from pastforward.outputs import loss_unit, output_loss
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch


class Level(StrEnum):
    """How bad a result is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """The result of one check."""

    level: Level
    measured: str
    """One sentence with the figures and the threshold, or why the check was skipped."""
    cause: str = ""
    """The usual cause; empty unless something is wrong."""
    advice: str = ""
    """What to try, with the options of this library."""
    figures: dict[str, float] = field(default_factory=dict)
    check: str = ""
    """Name of the check, as in `CHECKS`; filled in by `examine`."""


class Skip(Exception):
    """Raised inside a check that can't be made; the message says why."""


def ok(measured: str, **figures: float) -> CheckResult:
    """Nothing is wrong."""
    return CheckResult(Level.OK, measured, figures=figures)


def graded(
    level: Level, measured: str, cause: str, advice: str, figures: dict[str, float]
) -> CheckResult:
    """A result whose cause and advice are kept only where something is wrong."""
    fine = level is Level.OK
    return CheckResult(level, measured, "" if fine else cause, "" if fine else advice, figures)


def above(value: float, warning: float, failed: float) -> Level:
    """The level of a figure that should be small; NaN fails."""
    if value < warning:
        return Level.OK
    return Level.WARNING if value < failed else Level.FAILED


@dataclass(frozen=True)
class History:
    """What is known of the training of a student."""

    finished: bool = True
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The rows of metrics.jsonl."""
    config: RunConfig | None = None


class Memories(NamedTuple):
    """Memories on the held-out sequences of `CheckContext.batch`."""

    own: Tensor  # m_0..m_T of the student alone [B, T+1, K, D]
    targets: Tensor  # the teacher's [B, T+1, K, D]
    stepped: Tensor  # one step of the student from each target but the last [B, T, K, D]


class CheckContext:
    """A student, perhaps its teacher, their source, and measurements that are made when needed."""

    def __init__(
        self, student: Student, teacher: Teacher | None, source: Source,
        history: History | None = None, limit: int = 256, size: int = 64,
    ) -> None:  # fmt: skip
        """`limit` sequences of the test split are read, and as many training ones."""
        self.student, self.source, self.history = student, source, history
        self.limit, self.size = limit, size
        self._teacher = teacher

    @property
    def has_teacher(self) -> bool:
        """Are there targets to compare with?"""
        return self._teacher is not None

    @property
    def teacher(self) -> Teacher:
        """The teacher; raises `Skip` where there is none."""
        if self._teacher is None:
            raise Skip("no teacher: BPTT, or stored targets")
        return self._teacher

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks by their names in messages."""
        both = {"student": self.student, "teacher": self._teacher}
        return {whose: network for whose, network in both.items() if network is not None}

    @cached_property
    def unit(self) -> str:
        """Of losses, as people read it."""
        return loss_unit(self.student.signature.outputs)

    @property
    def broken(self) -> list[str]:
        """Names of weights that are not finite."""
        return [
            f"{whose}.{name}"
            for whose, network in self.networks.items()
            for name, tensor in network.state_dict().items()
            if not torch.isfinite(tensor).all()
        ]

    @cached_property
    def sequences(self) -> Batch:
        """The first held-out sequences; raises `UsageError` when there are none."""
        found = next(iter(self.source.held_out("test", self.size, self.limit)), None)
        if found is None:
            raise UsageError("The split 'test' holds no sequence; give a source that has some.")
        return found

    @property
    def batch(self) -> Batch:
        """`sequences` on the student's device; raises `Skip` where weights are not finite."""
        if self.broken:
            raise Skip("weights are not finite, so no network can be run")
        return on_device(self.sequences, self.student)

    @cached_property
    def evaluation(self) -> Evaluation:
        """On held-out sequences."""
        return self._evaluate(self.source.held_out("test", self.size, self.limit))

    @cached_property
    def trained_on(self) -> Evaluation:
        """On as many training sequences."""
        size, count = min(self.size, self.limit), -(-self.limit // self.size)
        return self._evaluate(self.source.batch(0, i, size) for i in range(count))

    @cached_property
    def own(self) -> Tensor:
        """m_0..m_T of the student alone on `batch`, `[B, T+1, K, D]`."""
        with frozen(self.student):
            return self.student.rollout(self.batch.x)

    @cached_property
    def memories(self) -> Memories:
        """Memories on `batch`; raises `Skip` without a teacher."""
        teacher, x = self.teacher, self.batch.x
        with frozen(self.student, teacher):
            targets = teacher.targets(x)
            return Memories(self.own, targets, self.student.step(targets[:, :-1], x))

    @cached_property
    def references(self) -> dict[str, float]:
        """Reference losses in nats per output, of predictors that read no input, by name."""
        return {name: v for name, v in self.source.references().items() if name != BEST_POSSIBLE}

    @property
    def reference(self) -> float:
        """The lowest of `references`; raises `Skip` where none is known."""
        if not self.references:
            raise Skip("the source knows no reference loss")
        return min(self.references.values())

    @cached_property
    def lack(self) -> float:
        """Share of the teacher's gain over the reference that the student alone does not reach.

        0 and below: as good as its teacher; 1: at the reference. Raises `Skip` where the teacher
        gains nothing.
        """
        _ = self.teacher
        teacher = self.evaluation.teacher
        assert teacher is not None
        gain = self.reference - teacher.nats
        if not gain > 0:
            raise Skip("the teacher is no better than the reference, so its targets mean nothing")
        return (self.evaluation.student.nats - teacher.nats) / gain

    def losses(self, parameters: Tensor) -> Tensor:
        """Loss of every output of `batch` that counts, `[N]`, for parameters `[B, T, P]`."""
        batch = self.batch
        return output_loss(self.student.signature.outputs, parameters, batch.y)[batch.mask]

    def _evaluate(self, batches: Iterable[Batch]) -> Evaluation:
        _ = self.batch  # raises Skip
        return measure(self.student, self._teacher, self.source, "test", batches)
