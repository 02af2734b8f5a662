"""L2. The Fourier encoder: a linear recurrence of the inputs themselves, no network before it.

    s_t = lambda s_{t-1} + gain w(x_t)        D - 2 numbers of each slot of m_t

w is linear in a one-hot symbol, or in a vector. The modes lambda begin as the lowest frequencies of
a Fourier series over T steps, so m_T holds a low-pass transform of the whole sequence, and its
readout, an MLP, does what is nonlinear. Nothing but s is carried from step to step, so a memory is
a function of the one before and the input. And one memory alone costs one matrix product: where
few outputs count, a teacher reads thousands of sequences a second.
(Linear memories with a fixed basis: LMU, Voelker, Kajic & Eliasmith 2019; HiPPO, Gu et al. 2020,
arXiv 2008.07669. There they are the network; here they are what a student learns to carry.)
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.memory import take
from pastforward.pieces import Piece
from pastforward.scan import DiagonalRecurrence, multiply_modes
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import FourierConfig
from pastforward.teacher.encoders.base import Encoder, require_scale, with_scale
from pastforward.types import MemoryShape, Signature, Tokens

_FEW_CHANNELS = 128
"""Up to so many symbols, sums over one-hot inputs cost less than a scan of what is written."""


@final
class FourierEncoder(Encoder):
    """Modes of all K slots by one recurrence; every slot has low and high frequencies."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: FourierConfig
    ) -> None:
        """Raises `UsageError` for a D that is odd or 2."""
        super().__init__()
        inner = MemoryShape(memory.slots, require_scale(memory))
        length = signature.length
        turn = min(1.0, own.initial_spacing * inner.size / length)
        fastest = own.initial_decay * length
        self.recurrence = DiagonalRecurrence(inner, fastest, max(fastest, 2.0 * length), turn)
        self.inputs = signature.inputs
        self.write = nn.Parameter(torch.randn(self._channels(), inner.size))
        self.start = nn.Parameter(torch.randn(inner.size))
        self.inner = inner

    @override
    def targets(self, x: Tensor) -> Tensor:
        states = self.recurrence(self._written(x))
        states = states + self.recurrence.extrapolate(self.start, x.shape[1])
        return self._memories(torch.cat([self.start.expand(len(x), 1, -1), states], 1))

    @override
    def whole_because(self) -> None:
        return None

    @override
    def targets_of_piece(self, x: Tensor, piece: Piece) -> Tensor:
        written = self._written(piece.of(x))
        return self._memories(self.recurrence.of_piece(written, piece, self.start))

    @override
    def targets_at(self, x: Tensor, times: Tensor) -> Tensor:
        if self._channels() > _FEW_CHANNELS:
            return take(self.targets(x), times)
        sums = self.recurrence.sums(self._channels_of(x), times)
        states = multiply_modes(sums, self.recurrence.gain() * self.write).sum(2)
        return self._memories(states + self.recurrence.turned(self.start, times))

    @override
    def empty_target(self, x: Tensor) -> Tensor:
        return self._memories(self.start.expand(1, 1, -1))

    def _written(self, x: Tensor) -> Tensor:
        """w(x_t) of every step, `[B, T, size]`."""
        if isinstance(self.inputs, Tokens):
            return F.embedding(x.long(), self.write)
        return self._channels_of(x) @ self.write

    def _channels(self) -> int:
        """C: symbols; or the width of vectors and a constant."""
        return self.inputs.size if isinstance(self.inputs, Tokens) else self.inputs.width + 1

    def _channels_of(self, x: Tensor) -> Float[Tensor, "batch length channels"]:
        """One-hot symbols, or vectors and a constant 1."""
        if isinstance(self.inputs, Tokens):
            return F.one_hot(x.long(), self.inputs.size).to(self.write.dtype)
        return F.pad(x.to(self.write.dtype), (0, 1), value=1.0)

    def _memories(self, states: Tensor) -> Tensor:
        return with_scale(states.unflatten(-1, (self.inner.slots, self.inner.width)))
