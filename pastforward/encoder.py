"""L1. Encoders: what a recurrent network should remember after every prefix.

`CausalEncoder` labels all t = 0..T in one pass: a causal Transformer, and one of `pools.py` that
reads memories from its states. `WindowEncoder` is the paper's: a bidirectional Transformer over the
last Tc inputs and K registers, one memory per pass.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.blocks import Tower
from pastforward.inputs import embedding
from pastforward.memory import rms_norm
from pastforward.pools import Pool
from pastforward.types import MemoryShape, Signature


class Encoder(nn.Module, ABC):
    """E: x -> labels. Causal: changing x after t leaves m_t unchanged."""

    @abstractmethod
    def labels(self, x: Tensor) -> Float[Tensor, "batch steps slots width"]:
        """m_0..m_T of every sequence, `[B, T+1, K, D]`."""

    @abstractmethod
    def at(
        self, x: Tensor, times: Int[Tensor, "batch count"]
    ) -> Float[Tensor, "batch count slots width"]:
        """m_t for the times asked, each in 0..T."""

    @abstractmethod
    def empty(self, x: Tensor) -> Float[Tensor, "1 1 slots width"]:
        """m_0, which depends on no input; x tells device and kind."""


class CausalEncoder(Encoder):
    """Labels of all prefixes, the empty one included, in one pass of a causal Transformer."""

    def __init__(
        self, signature: Signature, width: int, depth: int, heads: int,
        pool: Pool, piece: int | None = None,
    ) -> None:  # fmt: skip
        """`pool` reads memories from the tower's states; `piece` as in `Tower`."""
        super().__init__()
        self.embed = embedding(signature.inputs, width)
        self.start = nn.Parameter(torch.randn(width))
        self.tower = Tower(width, depth, heads, signature.length + 1, causal=True, piece=piece)
        self.pool = pool

    def labels(self, x: Tensor) -> Tensor:
        """See `Encoder`."""
        return rms_norm(self.pool(self._states(x)))

    def at(self, x: Tensor, times: Tensor) -> Tensor:
        """See `Encoder`; states are computed for all steps, memories for the times asked."""
        return rms_norm(self.pool(self._states(x), times))

    def empty(self, x: Tensor) -> Tensor:
        """See `Encoder`."""
        return self.labels(x[:1, :0])

    def _states(self, x: Tensor) -> Float[Tensor, "batch steps width"]:
        return self.tower(x, enter=self._enter)

    def _enter(self, x: Tensor) -> Float[Tensor, "batch steps width"]:
        e = self.embed(x)
        start = self.start.to(e.dtype).expand(e.shape[0], 1, -1)
        return torch.cat([start, e], 1)


class WindowEncoder(Encoder):
    """The paper's encoder: full attention over the last `window` inputs and K registers."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, window: int, width: int, depth: int,
        heads: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.window, self.slots = window, memory.slots
        self.embed = embedding(signature.inputs, width)
        self.registers = nn.Parameter(torch.randn(memory.slots, width))
        self.tower = Tower(width, depth, heads, window + memory.slots, causal=False)
        self.project = nn.Linear(width, memory.width)

    def labels(self, x: Tensor) -> Tensor:
        """See `Encoder`; one pass per prefix."""
        times = torch.arange(x.shape[1] + 1, device=x.device)
        return self.at(x, times.expand(x.shape[0], -1))

    def at(self, x: Tensor, times: Tensor) -> Tensor:
        """See `Encoder`; the windows of all times asked are one batch."""
        offsets = torch.arange(-self.window, 0, device=x.device)
        index = times.unsqueeze(-1) + offsets
        rows = torch.arange(x.shape[0], device=x.device)[:, None, None]
        windows = x[rows, index.clamp(min=0)]
        return self._encode(windows.flatten(0, 1), index.flatten(0, 1) >= 0).unflatten(
            0, times.shape
        )

    def empty(self, x: Tensor) -> Tensor:
        """See `Encoder`: a window of absences."""
        return self.at(x[:1], x.new_zeros(1, 1, dtype=torch.long))

    def _encode(self, x: Tensor, present: Tensor) -> Float[Tensor, "count slots width"]:
        """One memory `[N, K, D]` per window `[N, Tc]`; `present` is False on padding."""
        registers = self.registers.expand(x.shape[0], -1, -1)
        tokens = torch.cat([self.embed(x), registers], 1)
        seen = F.pad(present, (0, self.slots), value=True)[:, None, None]
        return rms_norm(self.project(self.tower(tokens, seen)[:, -self.slots :]))
