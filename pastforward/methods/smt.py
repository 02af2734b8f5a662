"""L3. Supervised Memory Training: teacher alone, joint, and from a frozen teacher.

A step takes memories m_t and m_{t+1} of the encoder, decodes F steps of future from a few of them,
and fits one step of the cell (m_t, x_{t+1}) -> m_{t+1} on all, in parallel over time: the longest
chain of cell calls is 1. Who is moved by which loss:

                   TeacherTraining     JointSMT                       FrozenSMT
    decoding       E, D                E, D                           -
    prediction     E, D's readout      E, D's readout                 -
    uniformity     E                   E                              -
    covariance     E                   E                              -
    gaussian       E                   E                              -
    dynamics       -                   f, m_0 and, times `pull`, E    f, m_0
    readout        -                   g, f and, times `pull`, E      g, f
    consistency    -                   f and, times `pull`, E         f
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.config import SMTConfig
from pastforward.losses import (
    consistency,
    covariance,
    gaussian,
    masked_mean,
    transition_weights,
    uniformity,
    variance_unexplained,
)
from pastforward.memory import scale_gradient, take
from pastforward.methods.base import Losses, Method, Transform
from pastforward.methods.sampling import SampledAnchors, anchor_futures, at_times, sample_anchors
from pastforward.outputs import nll
from pastforward.student import Student
from pastforward.teacher.target_source import TargetSource
from pastforward.teacher.teacher import Teacher
from pastforward.types import AnyBatch, MemoryShape


class _Targets(NamedTuple):
    empty: Tensor  # m_0 [1, 1, K, D]
    before: Tensor  # m_t [B, n, K, D]
    after: Tensor  # m_{t+1} [B, n, K, D]


class SMT(Method, ABC):
    """What the three stages share: drawing, labels, compilation."""

    def __init__(self, memory: MemoryShape, config: SMTConfig) -> None:
        self.memory, self.config = memory, config
        self._compiled = self.compute

    @abstractmethod
    def compute(self, batch: AnyBatch, sampled: SampledAnchors) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and terms: a pure function of tensors."""

    @final
    def compile(self, transform: Transform) -> None:
        """See `Method`: everything between batch and loss is one graph."""
        self._compiled = transform(self.compute)

    @final
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        total, terms = self._compiled(
            batch, sample_anchors(self.config, batch, self.memory, generator)
        )
        return Losses(total, {name: term.detach() for name, term in terms.items()})


@final
class TeacherTraining(SMT):
    """Stage one: encoder and decoder, no student."""

    def __init__(self, teacher: Teacher, config: SMTConfig) -> None:
        super().__init__(teacher.memory, config)
        self.teacher = teacher

    def modules(self) -> Iterable[nn.Module]:
        """See `Method`."""
        return (self.teacher,)

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return 0

    def compute(self, batch: AnyBatch, sampled: SampledAnchors) -> tuple[Tensor, dict[str, Tensor]]:
        """See `SMT`."""
        targets = _targets(self.teacher, batch, sampled)
        return _teacher_losses(self.teacher, self.config, batch, targets, sampled)


@final
class JointSMT(SMT):
    """All losses together; the student's also move the labels, by `pull`."""

    def __init__(self, student: Student, teacher: Teacher, config: SMTConfig) -> None:
        super().__init__(student.memory, config)
        self.student, self.teacher = student, teacher

    def modules(self) -> Iterable[nn.Module]:
        """See `Method`."""
        return self.teacher, self.student

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return 1

    def compute(self, batch: AnyBatch, sampled: SampledAnchors) -> tuple[Tensor, dict[str, Tensor]]:
        """See `SMT`."""
        targets = _targets(self.teacher, batch, sampled)
        teaching, terms = _teacher_losses(self.teacher, self.config, batch, targets, sampled)
        scaled = _Targets(
            *(scale_gradient(part, self.config.encoder_gradient_scale) for part in targets)
        )
        learning, more = _student_losses(
            self.student, self.teacher, self.config, batch, scaled, sampled
        )
        return teaching + learning, terms | more


@final
class FrozenSMT(SMT):
    """Stage two: a student on the labels of a teacher that no longer moves, or of a store."""

    def __init__(self, student: Student, target_source: TargetSource, config: SMTConfig) -> None:
        super().__init__(student.memory, config)
        self.student, self.target_source = student, target_source

    def modules(self) -> Iterable[nn.Module]:
        """See `Method`."""
        return (self.student,)

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return 1

    def compute(self, batch: AnyBatch, sampled: SampledAnchors) -> tuple[Tensor, dict[str, Tensor]]:
        """See `SMT`."""
        with torch.no_grad():
            targets = _targets(self.target_source, batch, sampled)
        return _student_losses(
            self.student, self.target_source, self.config, batch, targets, sampled
        )


def _targets(target_source: TargetSource, batch: AnyBatch, sampled: SampledAnchors) -> _Targets:
    if sampled.times is None:
        targets = target_source.targets_of(batch)
        # Split, not sliced: the way back puts them together again instead of adding up zeros.
        empty, after = targets.split([1, targets.shape[1] - 1], 1)
        return _Targets(empty[:1], targets[:, :-1], after)
    both = target_source.targets_at(batch, torch.cat([sampled.times - 1, sampled.times], 1))
    before, after = both.chunk(2, 1)
    return _Targets(target_source.empty_target_of(batch), before, after)


def _teacher_losses(
    teacher: Teacher, config: SMTConfig, batch: AnyBatch, targets: _Targets, sampled: SampledAnchors
) -> tuple[Tensor, dict[str, Tensor]]:
    kind, decoder = teacher.signature.outputs, teacher.decoder
    read = targets.after if sampled.noise is None else targets.after + sampled.noise[1]
    seen, same = at_times(batch, sampled), sampled.anchors[:1].expand(len(read), -1)
    spread = take(targets.after, same).transpose(0, 1)  # of all sequences at the same step
    terms = {
        "prediction": masked_mean(nll(kind, decoder.readout(read), seen.y), seen.mask),
        "uniformity": uniformity(spread),
    }
    if config.covariance:
        terms["covariance"] = covariance(spread)
    if sampled.directions is not None:
        terms["gaussian"] = gaussian(spread, sampled.directions)
    if config.decoding:
        future = anchor_futures(config, batch, sampled)
        decoded = decoder(take(read, sampled.anchors), future.x)
        terms["decoding"] = masked_mean(nll(kind, decoded, future.y), future.mask)
    return _weigh(config, terms), terms


def _student_losses(
    student: Student, target_source: TargetSource, config: SMTConfig, batch: AnyBatch, targets: _Targets,
    sampled: SampledAnchors,
) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
    kind, seen = student.signature.outputs, at_times(batch, sampled)
    read = targets.before if sampled.noise is None else targets.before + sampled.noise[0]
    stepped = student.step(read, seen.x)
    size = stepped.shape[0]
    reached = torch.cat([student.start(size, 1), stepped], 1)
    target = torch.cat([targets.empty.expand(size, -1, -1, -1), targets.after], 1)
    weight = F.pad(transition_weights(targets.before, targets.after), (1, 0), value=1.0)
    terms = {
        "dynamics": (weight * variance_unexplained(reached, target)).mean(),
        "readout": masked_mean(nll(kind, student.readout(stepped), seen.y), seen.mask),
    }
    if config.consistency:
        future = anchor_futures(config, batch, sampled)
        divergence = consistency(
            target_source.future_decoder(), kind, take(targets.after, sampled.anchors),
            take(stepped, sampled.anchors), future.x,
        )  # fmt: skip
        terms["consistency"] = masked_mean(divergence, future.mask)
    return _weigh(config, terms), terms


def _weigh(config: SMTConfig, terms: dict[str, Tensor]) -> Tensor:
    return torch.stack([getattr(config, name) * term for name, term in terms.items()]).sum()
