"""L3. Output distillation (Hinton, Vinyals & Dean 2015): learn a Transformer's predictions.

The student has no target memories. It is unrolled from m_0 as in BPTT, and fits the distribution of
y_t that a frozen causal Transformer predicts from x_1..x_t directly. (A teacher's predictions would
be weaker: they are read from a memory.) Soft targets carry more information than one symbol, but
credit still flows back through T steps.
"""

from typing import final

import torch
from typing_extensions import override

from pastforward.baselines.base import Baseline
from pastforward.config import RunConfig
from pastforward.losses import masked_mean
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.outputs import kl, nll
from pastforward.student import Student
from pastforward.types import AnyBatch


@final
class Distillation(RolloutMethod):
    """KL(teacher || student) of p(y_t), where y_t counts: only there was the teacher trained."""

    def __init__(self, student: Student, teacher: Baseline) -> None:
        super().__init__(student)
        self.teacher = teacher

    @override
    def serial_calls(self, length: int) -> int:
        return length

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


def build_distillation(network: Student, teacher: Baseline, config: RunConfig) -> Distillation:
    """'distill' of `METHODS`."""
    return Distillation(network, teacher)
