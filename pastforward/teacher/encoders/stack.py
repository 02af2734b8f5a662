"""L2. The stack encoder: layers of linear recurrences whose states are the memory, one a slot.

    h_t = embed(x_t), and in layers l = 1..K:
      s_t = lambda s_{t-1} + gain W norm(h_t)      the recurrence's D numbers: slot l of m_t
      h_t <- h_t + MLP([norm(h_t), s_t])

Between two steps nothing is carried but the states, so a state is a function of the states before
and the input: a student can reproduce it from m_{t-1}, but for the scale that the norm removes.
(Stacked linear recurrences: S4D, Gu et al. 2022, arXiv 2206.11893; LRU, Orvieto et al. 2023, arXiv
2303.06349. There the states are internal; here they are what is learned from.)
"""

from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.blocks import Mlp, embedding
from pastforward.memory import rms_norm
from pastforward.scan import DiagonalRecurrence
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import StackConfig
from pastforward.teacher.encoders.base import Encoder
from pastforward.types import Memories, MemoryShape, Signature


class _Layer(nn.Module):
    """A recurrence, what it reads, and what the next layer reads of it."""

    def __init__(self, width: int, recurrence: DiagonalRecurrence, hidden: int | None) -> None:
        """`hidden` units of the MLP; None in the last layer, whose state no layer reads."""
        super().__init__()
        size = 2 * recurrence.modes
        self.norm = nn.RMSNorm(width)
        self.write = nn.Linear(width, size)
        self.recurrence = recurrence
        self.mix = None if hidden is None else Mlp(width + size, hidden, width)

    @override
    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The next layer's input `[B, T, width]` and the state `[B, T, D]`."""
        read = self.norm(h)
        state = self.recurrence(self.write(read))
        return (h if self.mix is None else h + self.mix(torch.cat([read, state], -1))), state


@final
class StackEncoder(Encoder):
    """K layers, one for each slot of the memory."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: StackConfig
    ) -> None:
        """Raises `UsageError` for an odd D."""
        super().__init__()
        one, slowest = MemoryShape(1, memory.width), 2.0 * (signature.length + 1)
        self.embed = embedding(signature.inputs, config.width)
        self.layers = nn.ModuleList()
        for left in reversed(range(memory.slots)):
            recurrence = DiagonalRecurrence(one, own.initial_decay_time, slowest, own.initial_turn)
            hidden = (own.hidden or 2 * config.width) if left else None
            self.layers.append(_Layer(config.width, recurrence, hidden))
        self.start = nn.Parameter(torch.randn(memory.slots, memory.width))

    @override
    def targets(self, x: Tensor) -> Tensor:
        start = self.start.expand(len(x), 1, -1, -1)
        return rms_norm(torch.cat([start, self.states(x)], 1) if x.shape[1] else start)

    def states(self, x: Tensor) -> Memories:
        """Memories m_1..m_T before their norm, `[B, T, K, D]`."""
        h, found = self.embed(x), []
        for layer in self.layers:
            h, state = layer(h)
            found.append(state)
        return torch.stack(found, 2)
