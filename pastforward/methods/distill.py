"""L3. Output distillation (Hinton, Vinyals & Dean 2015): learn what a Transformer predicts.

The student gets no labels of its memory. It is unrolled from m_0 as in BPTT, and its distribution
of y_t is drawn to that of a frozen causal Transformer, which looks at x_1..x_t without a memory in
between: a stronger guide than a teacher whose predictions pass through the labels. Soft targets say
more than a symbol does, but credit still flows back through T steps.
"""

from typing import final

import torch

from pastforward.baselines.base import Baseline
from pastforward.losses import masked_mean
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.outputs import kl, nll
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.types import AnyBatch


@final
class Distillation(RolloutMethod):
    """KL from the guide's distribution to the student's, where y_t counts: there it was taught."""

    def __init__(self, student: Student, guide: Baseline) -> None:
        super().__init__(student)
        self.guide = guide

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`; `readout` is watched, not descended."""
        student, kind = self.student, self.student.signature.outputs
        with torch.no_grad():
            wanted = self.guide.predict(batch.x)
        own = rollout(self._step, student.start(batch.x.shape[0]), student.embed(batch.x))
        found = student.readout(own[:, 1:])
        distill = masked_mean(kl(kind, wanted, found), batch.mask)
        readout = masked_mean(nll(kind, found.detach(), batch.y), batch.mask)
        return Losses(distill, {"distill": distill.detach(), "readout": readout})
