"""L4. Who is examined: the networks, their data, and what several checks measure, measured once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from pastforward.analysis.checks.result import Skip
from pastforward.analysis.evaluate import Evaluation, evaluate, frozen
from pastforward.config import RunConfig
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.outputs import nll
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch

BEST = "best"
"""Name of the floor that no predictor can beat, where a source knows it."""


@dataclass(frozen=True)
class History:
    """What is known of the training behind a student."""

    finished: bool = True
    rows: list[dict[str, Any]] = field(default_factory=list)
    """As metrics.jsonl holds them."""
    config: RunConfig | None = None


class Memories(NamedTuple):
    """Of the held-out sequences of `Patient.batch`."""

    own: Tensor  # m_0..m_T of the student alone [B, T+1, K, D]
    targets: Tensor  # the teacher's [B, T+1, K, D]
    stepped: Tensor  # one step of the student from each label but the last [B, T, K, D]


class CheckContext:
    """A student, perhaps its teacher, their source, and lazily what was measured of them."""

    def __init__(
        self, student: Student, teacher: Teacher | None, source: Source,
        history: History | None = None, limit: int = 256, size: int = 64,
    ) -> None:  # fmt: skip
        """`limit` sequences of the test split are read, and as many of those trained on."""
        self.student, self.source, self.history = student, source, history
        self.limit, self.size = limit, size
        self._teacher = teacher

    @property
    def has_teacher(self) -> bool:
        """Are there labels to compare with?"""
        return self._teacher is not None

    @property
    def teacher(self) -> Teacher:
        """The teacher; raises `Skip` where there is none."""
        if self._teacher is None:
            raise Skip("no teacher: BPTT, or stored labels")
        return self._teacher

    @property
    def networks(self) -> dict[str, nn.Module]:
        """By what they are called in messages."""
        both = {"student": self.student, "teacher": self._teacher}
        return {whose: network for whose, network in both.items() if network is not None}

    @cached_property
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
        """`sequences` for networks to read; raises `Skip` where weights are not finite."""
        if self.broken:
            raise Skip("weights are not finite, so no network can be run")
        return Batch(*(part.to(self.student.empty.device) for part in self.sequences))

    @cached_property
    def evaluation(self) -> Evaluation:
        """On held-out sequences."""
        _ = self.batch
        return evaluate(self.student, self._teacher, self.source, "test", self.limit, self.size)

    @cached_property
    def trained_on(self) -> Evaluation:
        """The same on as many training sequences."""
        _ = self.batch
        seen = _Seen(self.source)
        return evaluate(self.student, self._teacher, seen, "test", self.limit, self.size)

    @cached_property
    def own(self) -> Tensor:
        """m_0..m_T of the student alone on `batch`, `[B, T+1, K, D]`."""
        return alone(self.student, self.batch.x)

    @cached_property
    def memories(self) -> Memories:
        """See `Memories`; raises `Skip` without a teacher."""
        teacher, x = self.teacher, self.batch.x
        with frozen(self.student, teacher):
            targets = teacher.targets(x)
            return Memories(self.own, targets, self.student.step(targets[:, :-1], x))

    @cached_property
    def references(self) -> dict[str, float]:
        """Nats of predictors that read no input, by name."""
        return {name: v for name, v in self.source.references().items() if name != BEST}

    @property
    def reference(self) -> float:
        """The lowest of `floors`; raises `Skip` where none is known."""
        if not self.references:
            raise Skip("the source knows no floor")
        return min(self.references.values())

    @cached_property
    def behind(self) -> float:
        """Share of what the teacher gains over the floor that the student alone does not reach.

        0 and below: as good as its teacher; 1: at the floor. Raises `Skip` where the teacher gains
        nothing.
        """
        _ = self.teacher
        teacher = self.evaluation.teacher
        assert teacher is not None
        gain = self.reference - teacher.nats
        if not gain > 0:
            raise Skip("the teacher is no better than the floor, so its labels say nothing")
        return (self.evaluation.student.nats - teacher.nats) / gain

    def losses(self, parameters: Tensor) -> Tensor:
        """Nats of every output that counts under parameters `[B, T, P]` of `batch`, `[N]`."""
        batch = self.batch
        return nll(self.student.signature.outputs, parameters, batch.y)[batch.mask]


def alone(student: Student, x: Tensor) -> Tensor:
    """The student's own m_0..m_T, `[B, T+1, K, D]`."""
    with frozen(student):
        return rollout(student.cell, student.start(len(x)), student.embed(x))


@final
class _Seen(Source):
    """Training sequences where held-out ones are asked for."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.name, source.signature, source.codec)
        self._source = source

    def batch(self, seed: int, index: int, size: int) -> Batch:
        return self._source.batch(seed, index, size)

    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        return (self._source.batch(0, i, min(size, limit)) for i in range(-(-limit // size)))

    def references(self) -> dict[str, float]:
        return self._source.references()

    def describe(self) -> dict[str, Any]:
        return self._source.describe()
