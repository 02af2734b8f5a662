"""L3. Backpropagation through time, whole and truncated: the opponent.

BPTT unrolls T steps from m_0 and sends the readout's gradient back through all of them. Truncated
BPTT cuts that path every `window` steps; the memory crosses the cut, its gradient does not.
"""

import torch

from pastforward.losses import masked_mean
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.outputs import nll
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.types import AnyBatch


class TruncatedBPTT(RolloutMethod):
    """The readout's gradient through the unrolled sequence, cut every `window` steps."""

    def __init__(self, student: Student, window: int) -> None:
        super().__init__(student)
        self.window = window

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        student = self.student
        memory, chunks = student.start(batch.x.shape[0]), []
        for e in student.embed(batch.x).split(self.window, 1):
            memories = rollout(self._step, memory, e)
            chunks.append(memories[:, 1:])
            memory = memories[:, -1].detach()
        parameters = student.readout(torch.cat(chunks, 1))
        readout = masked_mean(nll(student.signature.outputs, parameters, batch.y), batch.mask)
        return Losses(readout, {"readout": readout.detach()})


def bptt(student: Student) -> TruncatedBPTT:
    """BPTT is truncated BPTT whose one window is the whole sequence."""
    return TruncatedBPTT(student, student.signature.length)
