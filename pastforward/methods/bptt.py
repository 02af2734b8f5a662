"""L3. Backpropagation through time: full, truncated, and on a Transformer's predictions.

BPTT unrolls T steps from m_0 and backpropagates the readout's loss through all of them. Truncated
BPTT detaches the memory every k steps: values cross the cut, gradients do not.

Output distillation (Hinton, Vinyals & Dean 2015) is BPTT on soft targets: the distribution of y_t
that a frozen causal Transformer predicts from x_1..x_t directly. (A teacher's predictions would be
weaker: they are read from a memory.) They carry more information than one symbol, but credit still
flows back through T steps.
"""

from typing import final

import torch
from typing_extensions import override

from pastforward.baselines.base import Baseline
from pastforward.config import RunConfig
from pastforward.losses import mean_output_loss, mean_over_outputs
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.outputs import divergence
from pastforward.student import Student
from pastforward.types import AnyBatch


@final
class TruncatedBPTT(RolloutMethod):
    """The loss of y_t along the unrolled sequence, its gradient cut every `window` steps."""

    def __init__(self, student: Student, window: int) -> None:
        super().__init__(student)
        self.window = window

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        student = self.student
        memory, parts = student.start(batch.x.shape[0]), []
        for e in student.embed(batch.x).split(self.window, 1):
            visible, memory = student.cell.outputs(memory, e, self._step)
            parts.append(visible)
            memory = memory.detach()
        parameters = student.readout.of_visible(torch.cat(parts, 1))
        readout = mean_output_loss(student.signature, parameters, batch.y, batch.mask)
        return Losses(readout, {"readout": readout.detach()})


def bptt(student: Student) -> TruncatedBPTT:
    """BPTT: truncated BPTT whose one window is the whole sequence."""
    return TruncatedBPTT(student, student.signature.length)


@final
class Distillation(RolloutMethod):
    """Divergence of the student's p(y_t) from the teacher's, where y_t counts.

    Only there was the teacher trained.
    """

    def __init__(self, student: Student, teacher: Baseline) -> None:
        super().__init__(student)
        self.teacher = teacher

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """Of the terms, `readout` is logged only."""
        student, signature = self.student, self.student.signature
        with torch.no_grad():
            wanted = self.teacher(batch.x)[0]
        start, e = student.start(len(batch.x)), student.embed(batch.x)
        found = student.readout.of_visible(student.cell.outputs(start, e, self._step)[0])
        each = divergence(signature.outputs, wanted, found)
        distill = mean_over_outputs(signature, each, batch.y, batch.mask)
        readout = mean_output_loss(signature, found.detach(), batch.y, batch.mask)
        return Losses(distill, {"distill": distill.detach(), "readout": readout})


def build_bptt(network: Student, teacher: object, config: RunConfig) -> TruncatedBPTT:
    """'bptt' of `METHODS`."""
    return bptt(network)


def build_truncated_bptt(network: Student, teacher: object, config: RunConfig) -> TruncatedBPTT:
    """'tbptt' of `METHODS`."""
    return TruncatedBPTT(network, config.tbptt.window)


def build_distillation(network: Student, teacher: Baseline, config: RunConfig) -> Distillation:
    """'distill' of `METHODS`."""
    return Distillation(network, teacher)
