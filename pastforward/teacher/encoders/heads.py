"""L1. Pools: memories m_t read from a tower's states h_0..h_t, for all t at once.

`StateHead` is cheap, but everything passes through one state. `RegisterPool` asks K questions of
the whole prefix at every step. `LinearPool` adds up what the tower writes, turned and faded by a
fixed factor a step: its memories follow from each other, so that a student can follow them.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.blocks import Mlp, Rotary, rotate
from pastforward.memory import take
from pastforward.scan import DiagonalRecurrence
from pastforward.types import MemoryShape


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


class RegisterHead(nn.Module):
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
    def scale_query_key(self, factor: float) -> None:
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


class LinearHead(nn.Module):
    """What the tower writes at every step, added up by a linear recurrence.

    What is held then moves by a map that never changes, which a cell learns from a few labels.
    Registers weigh what they hold by all that was read: a new map at every step, which a student
    can only come near.
    """

    def __init__(self, width: int, recurrence: DiagonalRecurrence, memory: MemoryShape) -> None:
        super().__init__()
        self.memory, self.recurrence = memory, recurrence
        self.write = nn.Linear(width, memory.size)

    def forward(
        self, h: Float[Tensor, "batch steps width"], times: Int[Tensor, "batch count"] | None = None
    ) -> Tensor:
        """Memories `[B, count, K, D]` before normalisation, of all steps or the times asked."""
        m = self.recurrence(self.write(h))
        m = m if times is None else take(m, times)
        return m.unflatten(-1, (self.memory.slots, self.memory.width))


MemoryHead = StateHead | RegisterHead | LinearHead
