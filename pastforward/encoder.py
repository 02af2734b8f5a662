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

    @abstractmethod
    def empty(self, x: Tensor) -> Float[Tensor, "1 1 slots width"]:
        """m_0, which depends on no input; x tells device and kind."""


class StateHead(nn.Module):
    """A linear map from the state at t to m_t."""

    def __init__(self, width: int, memory: MemoryShape) -> None:
        super().__init__()
        self.memory = memory
        self.project = nn.Linear(width, memory.size)

    def forward(
        self, h: Float[Tensor, "batch steps width"], times: Int[Tensor, "batch count"] | None = None
    ) -> Tensor:
        """Memories `[B, count, K, D]` before normalisation, of all steps or the times asked."""
        asked = h if times is None else take(h, times)
        return self.project(asked).unflatten(-1, (self.memory.slots, self.memory.width))


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

    @torch.no_grad()
    def sharpen(self, factor: float) -> None:
        """Multiply the weights of queries and keys."""
        self.query.weight *= factor
        self.key_value.weight[: len(self.key_value.weight) // 2] *= factor

    def forward(
        self, h: Float[Tensor, "batch steps width"], times: Int[Tensor, "batch count"] | None = None
    ) -> Tensor:
        """Memories `[B, count, K, D]` before normalisation, of all steps or the times asked."""
        asked = h if times is None else take(h, times)
        k, v = self.key_value(h).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # A product for each of the two parts of a query, not for each of their K * T sums.
        q = self.query(asked).unsqueeze(2) + F.linear(self.registers, self.query.weight)
        q = q.unflatten(-1, (self.heads, -1)).permute(2, 0, 3, 1, 4)  # [K, B, heads, count, :]
        # Rotary positions let a register ask for "so many steps ago": a delay line, if that serves.
        table = self.rotary(h.shape[1])
        if times is None:
            mixed = self._everywhere(rotate(q, table), rotate(k, table), v)
        else:
            mixed = self._there(rotate(q, table[:, times].unsqueeze(2)), rotate(k, table), v, times)
        slots = asked.unsqueeze(2) + self.registers + self.out(mixed)
        return self.project(slots + self.mlp(self.norm(slots)))

    def _everywhere(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What the queries of all steps read, `[B, steps, K, width]`: K times the heads, causal."""
        k, v = k.repeat(1, self.slots, 1, 1), v.repeat(1, self.slots, 1, 1)
        q = q.transpose(0, 1).flatten(1, 2)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return mixed.unflatten(1, (self.slots, self.heads)).permute(0, 3, 1, 2, 4).flatten(-2)

    def _there(self, q: Tensor, k: Tensor, v: Tensor, times: Tensor) -> Tensor:
        """The same `[B, count, K, width]` where few times are asked: no copies of keys and values.

        A slot at a time, so that the mask is `[B, 1, count, steps]` whatever K.
        """
        seen = times[:, None, :, None] >= torch.arange(k.shape[2], device=k.device)
        read = [F.scaled_dot_product_attention(slot, k, v, attn_mask=seen) for slot in q]
        return torch.stack(read, 2).permute(0, 3, 2, 1, 4).flatten(-2)


class CausalEncoder(Encoder):
    """Labels of all prefixes, the empty one included, in one pass of a causal Transformer."""

    def __init__(
        self, signature: Signature, width: int, depth: int, heads: int,
        pool: StateHead | RegisterPool, piece: int | None = None,
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


def take(sequence: Tensor, times: Int[Tensor, "batch ..."]) -> Tensor:
    """Gather `sequence[b, times[b, ...]]`: `[B, T, ...]` and `[B, A]` give `[B, A, ...]`."""
    # Not by brackets: code that torch.compile made for their backward wrote out of bounds.
    rest = sequence.shape[2:]
    index = times.reshape(len(times), -1, *[1] * len(rest)).expand(-1, -1, *rest)
    return sequence.gather(1, index).unflatten(1, times.shape[1:])
