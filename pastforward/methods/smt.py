"""L3. Supervised Memory Training (arXiv 2606.06479): teacher alone, joint, from a frozen teacher.

A step takes target memories m_t and m_{t+1}, decodes F steps of future from a few of them, and fits
one cell step (m_t, x_{t+1}) -> m_{t+1} on all of them, in parallel over time. Which loss has
gradients for what (E encoder, D decoder, f embedding and cell, g readout; * times
`encoder_gradient_scale`):

                         TeacherTraining    JointSMT           FrozenSMT
    decoding (L_dec)     E, D               E, D               -
    input decoding       E, D               E, D               -
    prediction           E, D's readout     E, D's readout     -
    uniformity (L_unif)  E                  E                  -
    dynamics (L_dyn)     -                  f, m_0, E *        f, m_0
    readout              -                  g, f, E *          g, f
    consistency          -                  f, E *             f
    early readout        g                  -                  -
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.config import RunConfig
from pastforward.losses import (
    consistency,
    masked_mean,
    mean_output_loss,
    mean_over_outputs,
    uniformity,
)
from pastforward.memory import scale_gradient, take
from pastforward.methods import SMTConfig
from pastforward.methods.base import Losses, Method, Transform
from pastforward.methods.transitions import (
    SampledAnchors,
    Transitions,
    anchor_futures,
    anchor_inputs,
    at_counted,
    at_times,
    dynamics,
    losses_of,
    memories_after,
    read_alone,
    sample_anchors,
    sampled_transitions,
    weighted_sum,
)
from pastforward.outputs import Readout, output_loss
from pastforward.student import Student
from pastforward.teacher.target_source import TargetSource
from pastforward.teacher.teacher import Teacher
from pastforward.types import AnyBatch, MemoryShape

Terms = tuple[Tensor, dict[str, Tensor]]
"""The loss to descend, and its terms by name."""


class SMT(Method, ABC):
    """Abstract: what the three forms share."""

    fixed_graph = True
    cuts_time = True

    def __init__(self, memory: MemoryShape, config: SMTConfig) -> None:
        self.memory, self.config = memory, config
        self._compiled = self.compute

    @abstractmethod
    def compute(self, batch: AnyBatch, sampled: SampledAnchors) -> Terms:
        """A pure function of tensors."""

    @final
    @override
    def compile(self, transform: Transform) -> None:
        self._compiled = transform(self.compute)  # all between batch and loss is one graph

    @final
    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        sampled = sample_anchors(self.config, batch, self.memory, generator, self.piece)
        total, terms = self._compiled(batch, sampled)
        return losses_of(self.config, total, terms)


@final
class TeacherTraining(SMT):
    """Stage one of two-stage SMT: encoder and decoder, of a student at most its readout."""

    def __init__(self, teacher: Teacher, config: SMTConfig, readout: Readout | None = None) -> None:
        """`readout` is a student's; it learns where `config.early_readout` is above 0."""
        super().__init__(teacher.memory, config)
        self.teacher = teacher
        self.readout = readout if config.early_readout else None

    @override
    def modules(self) -> Iterable[nn.Module]:
        return (self.teacher,) if self.readout is None else (self.teacher, self.readout)

    @override
    def serial_calls(self, length: int) -> int:
        return 0

    @override
    def compute(self, batch: AnyBatch, sampled: SampledAnchors) -> Terms:
        sampled = read_alone(self.config, sampled)
        after = memories_after(self.teacher, batch, sampled)
        total, terms = _teacher_terms(self.teacher, self.config, batch, after, sampled)
        if self.readout is not None:
            seen = at_times(batch, sampled)
            m, y, mask = at_counted(after[0].detach(), seen, sampled)
            what = self.teacher.signature
            loss = mean_output_loss(what, self.readout(m), y, mask, sampled.total)
            terms["early_readout"] = loss
            total = total + self.config.early_readout * loss
        return total, terms


@final
class JointSMT(SMT):
    """All losses together; the student's also move the encoder."""

    def __init__(self, student: Student, teacher: Teacher, config: SMTConfig) -> None:
        super().__init__(student.memory, config)
        self.student, self.teacher = student, teacher

    @override
    def modules(self) -> Iterable[nn.Module]:
        return self.teacher, self.student

    @override
    def serial_calls(self, length: int) -> int:
        return 1

    @override
    def compute(self, batch: AnyBatch, sampled: SampledAnchors) -> Terms:
        teacher, config = self.teacher, self.config
        targets = sampled_transitions(teacher, batch, sampled)
        after = targets.after, targets.used
        taught, terms = _teacher_terms(teacher, config, batch, after, sampled)
        scale = config.encoder_gradient_scale
        empty, before, after = (scale_gradient(part, scale) for part in targets[:3])
        targets = targets._replace(empty=empty, before=before, after=after)
        learned, more = _student_terms(self.student, teacher, config, batch, targets, sampled)
        return taught + learned, terms | more


@final
class FrozenSMT(SMT):
    """Stage two: a student on the targets of a frozen teacher, or of a label store."""

    def __init__(self, student: Student, target_source: TargetSource, config: SMTConfig) -> None:
        super().__init__(student.memory, config)
        self.student, self.target_source = student, target_source

    @override
    def modules(self) -> Iterable[nn.Module]:
        return (self.student,)

    @override
    def serial_calls(self, length: int) -> int:
        return 1

    @override
    def compute(self, batch: AnyBatch, sampled: SampledAnchors) -> Terms:
        source = self.target_source
        with torch.no_grad():
            targets = sampled_transitions(source, batch, sampled)
        return _student_terms(self.student, source, self.config, batch, targets, sampled)


def _teacher_terms(
    teacher: Teacher, config: SMTConfig, batch: AnyBatch, after: tuple[Tensor, Tensor],
    sampled: SampledAnchors,
) -> Terms:  # fmt: skip
    """`after`: target memories `[B, n, K, D]`, and which of them are used `[B, n]`."""
    signature, decoder, seen = teacher.signature, teacher.decoder, at_times(batch, sampled)
    memories, counts = after
    read = memories if sampled.noise is None else memories + sampled.noise[1]
    # The anchors of the first sequence for all of them: uniformity compares the same step.
    steps = sampled.anchors[:1].expand(len(read), -1)
    same_steps, used = take(memories, steps), take(counts, steps)
    if sampled.owned is not None:
        used = used & sampled.owned[:1]
    counted, y, mask = at_counted(read, seen, sampled)
    read_out, total = decoder.readout(counted), sampled.total
    terms = {
        "prediction": mean_output_loss(signature, read_out, y, mask, total),
        "uniformity": uniformity(same_steps.transpose(0, 1), used.T, total),
    }
    if config.decoding or config.input_decoding:
        terms |= _decoding_terms(teacher, config, batch, take(read, sampled.anchors), sampled)
    return weighted_sum(config, terms), terms


def _decoding_terms(
    teacher: Teacher, config: SMTConfig, batch: AnyBatch, read: Tensor, sampled: SampledAnchors
) -> dict[str, Tensor]:
    """Losses of the futures of the memories `read` at the anchors `[B, A, K, D]`."""
    what, decoder, terms = teacher.signature, teacher.decoder, {}
    future = anchor_futures(config, batch, sampled)
    if config.input_decoding:
        decoded, inputs = decoder.with_inputs(read, future.x)
        x, counts = anchor_inputs(config, batch, sampled)
        losses = output_loss(what.inputs, inputs, x)
        terms["input_decoding"] = masked_mean(losses, counts, sampled.total)
    else:
        decoded = decoder(read, future.x)
    if config.decoding:
        terms["decoding"] = mean_output_loss(what, decoded, future.y, future.mask, sampled.total)
        if future.x.shape[2] == 0 and config.future != 1:
            # Sequences of one step: the graph stays that of others (`fixed_graph`).
            unused = torch.stack([p.sum() for p in decoder.parameters()]).sum()
            terms["decoding"] = terms["decoding"] + 0.0 * unused
    return terms


def _student_terms(
    student: Student, source: TargetSource, config: SMTConfig, batch: AnyBatch,
    targets: Transitions, sampled: SampledAnchors,
) -> Terms:  # fmt: skip
    signature, seen = student.signature, at_times(batch, sampled)
    read = targets.before if sampled.noise is None else targets.before + sampled.noise[0]
    stepped = student.step(read, seen.x)
    own = torch.cat([student.start(len(stepped), 1), stepped], 1)
    counted, y, mask = at_counted(stepped, seen, sampled)
    terms = {
        "dynamics": dynamics(own, targets, sampled.total),
        "readout": mean_output_loss(signature, student.readout(counted), y, mask, sampled.total),
    }
    if config.consistency:
        future, anchors = anchor_futures(config, batch, sampled), sampled.anchors
        target, predicted = take(targets.after, anchors), take(stepped, anchors)
        divergence = consistency(
            source.future_decoder(), signature.outputs, target, predicted, future.x
        )
        terms["consistency"] = mean_over_outputs(
            signature, divergence, future.y, future.mask, sampled.total
        )
    return weighted_sum(config, terms), terms


def build_teacher_training(network: object, teacher: Teacher, config: RunConfig) -> SMT:
    """'teacher' of `METHODS`."""
    readout = network.readout if isinstance(network, Student) else None
    return TeacherTraining(teacher, config.smt, readout)


def build_joint_smt(network: Student, teacher: Teacher, config: RunConfig) -> SMT:
    """'smt' of `METHODS`."""
    return JointSMT(network, teacher, config.smt)


def build_frozen_smt(network: Student, teacher: TargetSource, config: RunConfig) -> SMT:
    """'smt-frozen' of `METHODS`."""
    return FrozenSMT(network, teacher, config.smt)
