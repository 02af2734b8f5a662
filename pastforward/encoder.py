"""L1. Encoders: what a recurrent network should remember after every prefix.

`CausalEncoder` labels all t = 0..T in one pass. A memory is read from its tower of states either by
a `StateHead` (cheap, but everything passes through one state) or by a `RegisterPool` (K learned
queries per step over the whole prefix). `WindowEncoder` is the paper's: a bidirectional Transformer
over the last Tc inputs and K registers, one memory per pass.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.blocks import Mlp, Rotary, Tower, rotate
from pastforward.inputs import embedding
from pastforward.memory import rms_norm
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


class StateHead(nn.Module):
    """A linear map from the state at t to m_t."""

    def __init__(self, width: int, memory: MemoryShape) -> None:
        super().__init__()
        self.memory = memory
        self.project = nn.Linear(width, memory.size)

    def forward(self, h: Float[Tensor, "batch steps width"]) -> Tensor:
        """Memories `[B, steps, K, D]` before normalisation."""
        return self.project(h).unflatten(-1, (self.memory.slots, self.memory.width))


class RegisterPool(nn.Module):
    """K queries at every step attend to all states up to it; the K slots share the weights.

    A query is a learned register plus a map of the state at t. The K * H heads of all queries read
    the same keys and values causally, so no mask of size [T * K, T] is made.
    """

    def __init__(self, width: int, heads: int, length: int, memory: MemoryShape) -> None:
        super().__init__()
        self.heads, self.slots = heads, memory.slots
        self.rotary = Rotary(length, width // heads)
        self.registers = nn.Parameter(torch.randn(memory.slots, width))
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.mlp = Mlp(width, 2 * width, width)
        self.project = nn.Linear(width, memory.width)

    def forward(self, h: Float[Tensor, "batch steps width"]) -> Tensor:
        """Memories `[B, steps, K, D]` before normalisation."""
        slots = h.unsqueeze(2) + self.registers
        q = self.query(slots).unflatten(-1, (self.heads, -1)).permute(0, 2, 3, 1, 4).flatten(1, 2)
        k, v = self.key_value(h).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # Rotary positions let a register ask for "so many steps ago": a delay line, if that serves.
        table = self.rotary(h.shape[1])
        q, k = rotate(q, table), rotate(k, table)
        k, v = k.repeat(1, self.slots, 1, 1), v.repeat(1, self.slots, 1, 1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = mixed.unflatten(1, (self.slots, self.heads)).permute(0, 3, 1, 2, 4).flatten(-2)
        slots = slots + self.out(mixed)
        return self.project(slots + self.mlp(self.norm(slots)))


class CausalEncoder(Encoder):
    """Labels of all prefixes, the empty one included, in one pass of a causal Transformer."""

    def __init__(
        self, signature: Signature, width: int, depth: int, heads: int, pool: nn.Module
    ) -> None:
        super().__init__()
        self.embed = embedding(signature.inputs, width)
        self.start = nn.Parameter(torch.randn(width))
        self.tower = Tower(width, depth, heads, signature.length + 1, causal=True)
        self.pool = pool

    def labels(self, x: Tensor) -> Tensor:
        """See `Encoder`."""
        e = self.embed(x)
        start = self.start.to(e.dtype).expand(e.shape[0], 1, -1)
        return rms_norm(self.pool(self.tower(torch.cat([start, e], 1))))

    def at(self, x: Tensor, times: Tensor) -> Tensor:
        """See `Encoder`."""
        return take(self.labels(x), times)


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

    def _encode(self, x: Tensor, present: Tensor) -> Float[Tensor, "count slots width"]:
        """One memory `[N, K, D]` per window `[N, Tc]`; `present` is False on padding."""
        registers = self.registers.expand(x.shape[0], -1, -1)
        tokens = torch.cat([self.embed(x), registers], 1)
        seen = F.pad(present, (0, self.slots), value=True)[:, None, None]
        return rms_norm(self.project(self.tower(tokens, seen)[:, -self.slots :]))


def take(sequence: Tensor, times: Int[Tensor, "batch ..."]) -> Tensor:
    """Gather `sequence[b, times[b, ...]]`: `[B, T, ...]` and `[B, A]` give `[B, A, ...]`."""
    rows = torch.arange(sequence.shape[0], device=times.device)
    return sequence[rows.view(-1, *[1] * (times.dim() - 1)), times]
