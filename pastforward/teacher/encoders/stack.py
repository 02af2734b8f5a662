"""L2. The stack encoder: layers of linear recurrences whose states are the memory, one a slot.

    h_t = embed(x_t), and in layers l = 1..K:
      s_t = lambda s_{t-1} + gain W norm(h_t)      D - 2 numbers, in slot l of m_t
      h_t <- h_t + MLP([norm(h_t), s_t])

Between two steps nothing is carried but the states, so a memory is a function of the one before and
the input, which a student can learn. The norm would take a state's scale away, which the next step
needs; so the last two numbers of a slot are 1 before the norm: 1 / scale after it.
(Stacked linear recurrences: S4D, Gu et al. 2022, arXiv 2206.11893; LRU, Orvieto et al. 2023, arXiv
2303.06349. There the states are internal; here they are what is learned from.)
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from pastforward.blocks import Mlp, embedding
from pastforward.pieces import Piece
from pastforward.scan import DiagonalRecurrence
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import StackConfig
from pastforward.teacher.encoders.base import Encoder, require_scale, with_scale
from pastforward.types import MemoryShape, Signature


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
    def forward(self, h: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """The next layer's input `[B, T, width]` and states 1..T `[B, T, D-2]` from `start`."""
        read = self.norm(h)
        state = self.recurrence.of_states(read, self.write)
        state = state + self.recurrence.extrapolate(start, h.shape[1])
        return self._mixed(h, read, state), state

    def of_piece(self, h: Tensor, start: Tensor, piece: Piece) -> tuple[Tensor, Tensor]:
        """The same of a piece, with the state before its first step; `start` is that of t = 0."""
        read = self.norm(h)
        states = self.recurrence.of_piece(self.write(read), piece, start)
        return self._mixed(h, read, states[:, 1:]), states

    def _mixed(self, h: Tensor, read: Tensor, state: Tensor) -> Tensor:
        return h if self.mix is None else h + self.mix(torch.cat([read, state], -1))


@final
class StackEncoder(Encoder):
    """K layers, one for each slot of the memory."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: StackConfig
    ) -> None:
        """Raises `UsageError` for a D that is odd or 2."""
        super().__init__()
        size, slowest = require_scale(memory), 2.0 * (signature.length + 1)
        one = MemoryShape(1, size)
        self.embed = embedding(signature.inputs, config.width)
        self.layers = nn.ModuleList()
        for left in reversed(range(memory.slots)):
            recurrence = DiagonalRecurrence(one, own.initial_decay_time, slowest, own.initial_turn)
            hidden = (own.hidden or 2 * config.width) if left else None
            self.layers.append(_Layer(config.width, recurrence, hidden))
        self.start = nn.Parameter(torch.randn(memory.slots, size))

    @override
    def targets(self, x: Tensor) -> Tensor:
        return with_scale(self.states(x))

    @override
    def empty_target(self, x: Tensor) -> Tensor:
        return with_scale(self.start.expand(1, 1, -1, -1))

    @override
    def whole_because(self) -> None:
        return None

    @override
    def targets_of_piece(self, x: Tensor, piece: Piece) -> Tensor:
        h, found = self.embed(piece.of(x)), []
        for layer, start in zip(self.layers, self.start, strict=True):
            assert isinstance(layer, _Layer)
            h, states = layer.of_piece(h, start, piece)
            found.append(states)
        return with_scale(torch.stack(found, 2))

    def states(self, x: Tensor) -> Float[Tensor, "batch steps slots numbers"]:
        """States of all layers for t = 0..T, `[B, T+1, K, D-2]`."""
        h, found = self.embed(x), []
        for layer, start in zip(self.layers, self.start, strict=True):
            h, state = layer(h, start)
            found.append(torch.cat([start.expand(len(x), 1, -1), state], 1))
        return torch.stack(found, 2)
