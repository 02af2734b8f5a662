"""L3. Backpropagation through time, whole and truncated: the opponent.

BPTT unrolls T steps from m_0 and sends the readout's gradient back through all of them. Truncated
BPTT cuts that path every `window` steps; the memory crosses the cut, its gradient does not.
"""

from collections.abc import Iterable

import torch
from torch import nn

from pastforward.methods.base import Losses, Method
from pastforward.objectives import masked_mean
from pastforward.outputs import nll
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.types import Batch


class BPTT(Method):
    """The gradient of the readout's loss through the whole unrolled sequence."""

    def __init__(self, student: Student) -> None:
        self.student = student
        self._step = student.cell.forward

    def parameters(self) -> Iterable[nn.Parameter]:
        """See `Method`."""
        return self.student.parameters()

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    def compile(self) -> None:
        """See `Method`."""
        self._step = torch.compile(self.student.cell.forward, dynamic=False)

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:  # noqa: ARG002
        """See `Method`."""
        student = self.student
        start = student.start(batch.x.shape[0])
        memories = rollout(self._step, start, student.embed(batch.x))
        per_output = nll(student.signature.outputs, student.readout(memories[:, 1:]), batch.y)
        readout = masked_mean(per_output, batch.mask)
        return Losses(readout, {"readout": readout.detach()})


class TruncatedBPTT(Method):
    """BPTT whose gradient path is cut every `window` steps."""

    def __init__(self, student: Student, window: int) -> None:
        self.student, self.window = student, window
        self._step = student.cell.forward

    def parameters(self) -> Iterable[nn.Parameter]:
        """See `Method`."""
        return self.student.parameters()

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    def compile(self) -> None:
        """See `Method`."""
        self._step = torch.compile(self.student.cell.forward, dynamic=False)

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:  # noqa: ARG002
        """See `Method`."""
        student = self.student
        memory, pieces = student.start(batch.x.shape[0]), []
        for e in student.embed(batch.x).split(self.window, 1):
            memories = rollout(self._step, memory, e)
            pieces.append(memories[:, 1:])
            memory = memories[:, -1].detach()
        per_output = nll(student.signature.outputs, student.readout(torch.cat(pieces, 1)), batch.y)
        readout = masked_mean(per_output, batch.mask)
        return Losses(readout, {"readout": readout.detach()})
