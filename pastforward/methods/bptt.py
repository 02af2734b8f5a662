"""L3. Backpropagation through time, full and truncated: what SMT and DMT are compared with.

BPTT unrolls T steps from m_0 and backpropagates the readout's loss through all of them. Truncated
BPTT detaches the memory every k steps: values cross the cut, gradients do not.
"""

from typing import final

import torch
from typing_extensions import override

from pastforward.config import RunConfig
from pastforward.losses import masked_mean
from pastforward.memory import rollout
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.outputs import nll
from pastforward.student import Student
from pastforward.types import AnyBatch


@final
class TruncatedBPTT(RolloutMethod):
    """-log p(y_t) along the unrolled sequence, its gradient cut every `window` steps."""

    def __init__(self, student: Student, window: int) -> None:
        super().__init__(student)
        self.window = window

    @override
    def serial_calls(self, length: int) -> int:
        return length

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


def build_bptt(network: Student, teacher: object, config: RunConfig) -> TruncatedBPTT:
    """'bptt' of `METHODS`."""
    return bptt(network)


def build_truncated_bptt(network: Student, teacher: object, config: RunConfig) -> TruncatedBPTT:
    """'tbptt' of `METHODS`."""
    return TruncatedBPTT(network, config.tbptt.window)
