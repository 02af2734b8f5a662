"""L3. Supervised Memory Training: teacher alone, joint, and from a frozen teacher.

All three draw anchors, from which the decoder predicts F steps, and train on one-step transitions
(m_t, x_{t+1}) -> m_{t+1}, all in parallel over time; the longest chain of cell calls is 1.

                   TeacherTraining     JointSMT                       FrozenSMT
    decoding       E, D                E, D                           -
    dynamics       -                   f, m_0 and, times `pull`, E    f, m_0
    consistency    -                   f and, times `pull`, E         f
    readout        -                   g, f                           g, f
    uniformity     E                   E                              -
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pastforward.decoder import futures
from pastforward.encoder import take
from pastforward.memory import rms_norm, scale_gradient
from pastforward.methods.base import Losses, Method
from pastforward.objectives import consistency, masked_mean, unexplained, uniformity
from pastforward.outputs import nll
from pastforward.student import Student
from pastforward.teacher import Teacher
from pastforward.types import Batch


@dataclass(frozen=True)
class SMTConfig:
    """Weights of the losses, and how much of each sequence a step uses."""

    future: int = 32
    """F: outputs decoded from each anchor."""
    anchors: int = 2
    """Memories per sequence that decode their future."""
    decoding: float = 1.0
    prediction: float = 1.0
    """Weight of y_t read from every label: decoding at F = 1, at all t."""
    dynamics: float = 1.0
    """Weight of the fraction of the labels' variance that one step leaves unexplained."""
    consistency: float = 0.0
    readout: float = 1.0
    uniformity: float = 0.001
    pull: float = 1.0
    """Share of the student's gradients that reaches the encoder in joint training."""
    noise: float = 0.0
    """Deviation of Gaussian noise on memories before the decoder and the cell read them."""


class _Drawn(NamedTuple):
    anchors: Tensor
    noise: Tensor | None


def _draw(config: SMTConfig, batch: Batch, size: tuple[int, int], generator) -> _Drawn:
    """Anchor times t in 1..T `[B, A]`, and noise for all T+1 memories."""
    count, length = batch.x.shape[:2]
    shape = (count, min(config.anchors, length))
    device = batch.x.device
    anchors = torch.randint(1, length + 1, shape, generator=generator, device=device)
    if not config.noise:
        return _Drawn(anchors, None)
    noise = torch.randn(count, length + 1, *size, generator=generator, device=device)
    return _Drawn(anchors, config.noise * noise)


class TeacherTraining(Method):
    """Stage one: encoder and decoder on decoding, prediction and uniformity."""

    def __init__(self, teacher: Teacher, config: SMTConfig) -> None:
        self.teacher, self.config = teacher, config
        self._losses = self._compute

    def parameters(self) -> Iterable[nn.Parameter]:
        """See `Method`."""
        return self.teacher.parameters()

    def serial_calls(self, length: int) -> int:  # noqa: ARG002
        """See `Method`."""
        return 0

    def compile(self) -> None:
        """See `Method`."""
        self._losses = torch.compile(self._compute, dynamic=False)

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        memory = self.teacher.memory
        drawn = _draw(self.config, batch, (memory.slots, memory.width), generator)
        return Losses(*self._losses(batch, drawn))

    def _compute(self, batch: Batch, drawn: _Drawn) -> tuple[Tensor, dict[str, Tensor]]:
        labels = self.teacher.labels(batch.x)
        total, terms, _ = teacher_losses(self.teacher, self.config, batch, labels, drawn)
        return total, terms


def teacher_losses(
    teacher: Teacher, config: SMTConfig, batch: Batch, labels: Tensor, drawn: _Drawn
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Weighted sum, terms, and the decoder's parameters at the anchors."""
    kind = teacher.signature.outputs
    read = labels if drawn.noise is None else labels + drawn.noise
    future = futures(batch, drawn.anchors, config.future)
    decoded = teacher.decoder(take(read, drawn.anchors).flatten(0, 1), future.x.flatten(0, 1))
    decoded = decoded.unflatten(0, drawn.anchors.shape)
    decoding = masked_mean(nll(kind, decoded, future.y), future.mask)
    predicted = teacher.decoder.readout(read[:, 1:])
    prediction = masked_mean(nll(kind, predicted, batch.y), batch.mask)
    spread = uniformity(take(labels, drawn.anchors[:, :1]).flatten(0, 1))
    total = (
        config.decoding * decoding
        + config.prediction * prediction
        + config.uniformity * spread
    )
    terms = {"decoding": decoding, "prediction": prediction, "uniformity": spread}
    return total, {k: v.detach() for k, v in terms.items()}, decoded


class JointSMT(Method):
    """All losses together; the student's also move the labels, by `pull`."""

    def __init__(self, student: Student, teacher: Teacher, config: SMTConfig) -> None:
        self.student, self.teacher, self.config = student, teacher, config
        self._losses = self._compute

    def parameters(self) -> Iterable[nn.Parameter]:
        """See `Method`."""
        return chain(self.teacher.parameters(), self.student.parameters())

    def serial_calls(self, length: int) -> int:  # noqa: ARG002
        """See `Method`."""
        return 1

    def compile(self) -> None:
        """See `Method`."""
        self._losses = torch.compile(self._compute, dynamic=False)

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        memory = self.teacher.memory
        drawn = _draw(self.config, batch, (memory.slots, memory.width), generator)
        return Losses(*self._losses(batch, drawn))

    def _compute(self, batch: Batch, drawn: _Drawn) -> tuple[Tensor, dict[str, Tensor]]:
        labels = self.teacher.labels(batch.x)
        total, terms, decoded = teacher_losses(
            self.teacher, self.config, batch, labels, drawn
        )
        pulled = scale_gradient(labels, self.config.pull)
        student, more = student_losses(
            self.student, self.teacher, self.config, batch, pulled, drawn, decoded
        )
        return total + student, terms | more


class FrozenSMT(Method):
    """Stage two: a student on the labels of a teacher that no longer moves."""

    def __init__(self, student: Student, teacher: Teacher, config: SMTConfig) -> None:
        self.student, self.teacher, self.config = student, teacher, config
        self._losses = self._compute

    def parameters(self) -> Iterable[nn.Parameter]:
        """See `Method`."""
        return self.student.parameters()

    def serial_calls(self, length: int) -> int:  # noqa: ARG002
        """See `Method`."""
        return 1

    def compile(self) -> None:
        """See `Method`."""
        self._losses = torch.compile(self._compute, dynamic=False)

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        memory = self.teacher.memory
        drawn = _draw(self.config, batch, (memory.slots, memory.width), generator)
        return Losses(*self._losses(batch, drawn))

    def _compute(self, batch: Batch, drawn: _Drawn) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            labels = self.teacher.labels(batch.x)
        return student_losses(
            self.student, self.teacher, self.config, batch, labels, drawn, None
        )


def student_losses(
    student: Student, teacher: Teacher, config: SMTConfig, batch: Batch, labels: Tensor,
    drawn: _Drawn, decoded: Tensor | None,
) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
    """One step of the cell from every label, m_0 included, against the next label."""
    kind = student.signature.outputs
    read = labels[:, :-1] if drawn.noise is None else labels[:, :-1] + drawn.noise[:, :-1]
    stepped = student.step(read, batch.x)
    start = student.start(labels.shape[0], 1)
    reached = torch.cat([start, stepped], 1)
    dynamics = unexplained(reached, labels).mean()
    readout = masked_mean(nll(kind, student.readout(stepped), batch.y), batch.mask)
    total = config.dynamics * dynamics + config.readout * readout
    terms = {"dynamics": dynamics, "readout": readout}
    if config.consistency:
        future = futures(batch, drawn.anchors, config.future)
        inputs = future.x.flatten(0, 1)
        if decoded is None:
            decoded = teacher.decoder(take(labels, drawn.anchors).flatten(0, 1), inputs)
            decoded = decoded.unflatten(0, drawn.anchors.shape)
        other = teacher.decoder(take(reached, drawn.anchors).flatten(0, 1), inputs)
        divergence = consistency(kind, decoded, other.unflatten(0, drawn.anchors.shape))
        terms["consistency"] = masked_mean(divergence, future.mask)
        total = total + config.consistency * terms["consistency"]
    return total, {k: v.detach() for k, v in terms.items()}
