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
from pastforward.losses import masked_mean
from pastforward.memory import rollout
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.outputs import kl, nll
from pastforward.student import Student
from pastforward.types import AnyBatch


@final
class TruncatedBPTT(RolloutMethod):
    """-log p(y_t) along the unrolled sequence, its gradient cut every `window` steps."""

    def __init__(self, student: Student, window: int) -> None:
        super().__init__(student)
        self.window = window

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        student = self.student
        memory, parts = student.start(batch.x.shape[0]), []
        for e in student.embed(batch.x).split(self.window, 1):
            memories = rollout(self._step, memory, e)
            parts.append(memories[:, 1:])
            memory = memories[:, -1].detach()
        parameters = student.readout(torch.cat(parts, 1))
        readout = masked_mean(nll(student.signature.outputs, parameters, batch.y), batch.mask)
        return Losses(readout, {"readout": readout.detach()})


def bptt(student: Student) -> TruncatedBPTT:
    """BPTT: truncated BPTT whose one window is the whole sequence."""
    return TruncatedBPTT(student, student.signature.length)


@final
class Distillation(RolloutMethod):
    """KL(teacher || student) of p(y_t), where y_t counts: only there was the teacher trained."""

    def __init__(self, student: Student, teacher: Baseline) -> None:
        super().__init__(student)
        self.teacher = teacher

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """Of the terms, `readout` is logged only."""
        kind = self.student.signature.outputs
        with torch.no_grad():
            wanted = self.teacher(batch.x)[0]
        found = self.student.readout(self.rollout(batch.x)[:, 1:])
        distill = masked_mean(kl(kind, wanted, found), batch.mask)
        readout = masked_mean(nll(kind, found.detach(), batch.y), batch.mask)
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
