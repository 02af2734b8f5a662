"""L2. Encoders on a causal Transformer: one pass gives its states, a head the memories m_0..m_T.

`StateHead` is a linear map of the state at t. `RegisterHead` pools the prefix by attention, as the
paper's registers do. `LinearHead` is a diagonal linear recurrence of what the Transformer writes.
"""

from abc import ABC, abstractmethod
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.blocks import Mlp, Rotary, Transformer, embedding, rotate
from pastforward.memory import rms_norm, take
from pastforward.pieces import Piece
from pastforward.registry import NoConfig
from pastforward.scan import DiagonalRecurrence
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import LinearConfig
from pastforward.teacher.encoders.base import Encoder
from pastforward.types import Memories, MemoryShape, Signature


class MemoryHead(nn.Module, ABC):
    """Abstract: from states to memories."""

    @abstractmethod
    def forward(self, h: Tensor, times: Tensor | None = None) -> Memories:
        """Memories at all steps of h `[B, T+1, width]`, or at the given times `[B, count]`."""

    whole_because: str | None = None
    """Why memories can't be made piece by piece."""

    def of_piece(self, h: Tensor, piece: Piece) -> Memories:
        """Memories begin..end of a piece, from h at those steps."""
        return self(h)


@final
class StateHead(MemoryHead):
    """A linear map from the state at t to m_t."""

    def __init__(self, width: int, memory: MemoryShape) -> None:
        super().__init__()
        self.memory = memory
        self.project = nn.Linear(width, memory.size)

    @override
    def forward(self, h: Tensor, times: Tensor | None = None) -> Tensor:
        h = h if times is None else take(h, times)
        return self.project(h).unflatten(-1, (self.memory.slots, self.memory.width))


@final
class RegisterHead(MemoryHead):
    """K queries at every step attend to all states up to it; the K slots share the weights.

    A query is a learned register plus a linear map of the state at t. The heads of all K queries
    read the same keys and values causally, so no mask of size `[T * K, T]` is made.
    """

    whole_because = "its registers attend to all states before"

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
        """Multiply the weights of queries and keys by `factor`."""
        self.query.weight *= factor
        self.key_value.weight[: len(self.key_value.weight) // 2] *= factor

    @override
    def forward(self, h: Tensor, times: Tensor | None = None) -> Tensor:
        asking = h if times is None else take(h, times)
        k, v = self.key_value(h).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # The query map is linear: one product for T states and one for K registers, not K * T.
        q = self.query(asking).unsqueeze(2) + F.linear(self.registers, self.query.weight)
        q = q.unflatten(-1, (self.heads, -1)).permute(2, 0, 3, 1, 4)  # [K, B, heads, count, :]
        # Rotary positions: a register can attend to a fixed number of steps ago.
        table = self.rotary(h.shape[1])
        if times is None:
            read = self._attend_everywhere(rotate(q, table), rotate(k, table), v)
        else:
            q = rotate(q, table[:, times].unsqueeze(2))
            read = self._attend_at(q, rotate(k, table), v, times)
        slots = asking.unsqueeze(2) + self.registers + self.out(read)
        return self.project(slots + self.mlp(self.norm(slots)))

    def _attend_everywhere(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Causal attention of the queries of all steps, `[B, steps, K, width]`: K * heads heads."""
        k, v = k.repeat(1, self.slots, 1, 1), v.repeat(1, self.slots, 1, 1)
        q = q.transpose(0, 1).flatten(1, 2)
        read = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return read.unflatten(1, (self.slots, self.heads)).permute(0, 3, 1, 2, 4).flatten(-2)

    def _attend_at(self, q: Tensor, k: Tensor, v: Tensor, times: Tensor) -> Tensor:
        """The same at few times, `[B, count, K, width]`, without copies of keys and values.

        One slot at a time, so that the mask is `[B, 1, count, steps]` whatever K.
        """
        mask = times[:, None, :, None] >= torch.arange(k.shape[2], device=k.device)
        read = [F.scaled_dot_product_attention(slot, k, v, attn_mask=mask) for slot in q]
        return torch.stack(read, 2).permute(0, 3, 2, 1, 4).flatten(-2)


@final
class LinearHead(MemoryHead):
    """A diagonal linear recurrence over what the Transformer writes at every step.

    What a memory holds then moves by one fixed linear map, which a student learns from few targets.
    Attention pooling is not Markov in m_t; students fit it only approximately.
    """

    def __init__(self, width: int, recurrence: DiagonalRecurrence, memory: MemoryShape) -> None:
        super().__init__()
        self.memory, self.recurrence = memory, recurrence
        self.write = nn.Linear(width, memory.size)

    @override
    def forward(self, h: Tensor, times: Tensor | None = None) -> Tensor:
        m = self.recurrence.of_states(h, self.write)
        m = m if times is None else take(m, times)
        return m.unflatten(-1, (self.memory.slots, self.memory.width))

    @override
    def of_piece(self, h: Tensor, piece: Piece) -> Tensor:
        written = self.write(h)  # at step `begin` by the piece before, but for step 0
        m = self.recurrence.of_piece(written[:, 1 if piece.number else 0 :], piece)
        return m.unflatten(-1, (self.memory.slots, self.memory.width))


class CausalEncoder(Encoder, ABC):
    """Abstract: what the three share. Target memories of all prefixes, the empty one included."""

    def __init__(self, signature: Signature, config: TeacherConfig, head: MemoryHead) -> None:
        """`head` reads memories from the Transformer's states."""
        super().__init__()
        self.embed = embedding(signature.inputs, config.width)
        self.start = nn.Parameter(torch.randn(config.width))
        self.transformer = Transformer(
            config.width, config.depth, config.heads, signature.length + 1, causal=True,
            recompute=config.recompute, window=config.window,
        )  # fmt: skip
        self.head = head

    @override
    def whole_because(self) -> str | None:
        if self.transformer.reach is None:
            return "its Transformer attends to all that came before; give --teacher.window"
        return self.head.whole_because

    @override
    def targets_of_piece(self, x: Tensor, piece: Piece) -> Tensor:
        # States that those of the piece depend on are computed here, too.
        assert self.transformer.reach is not None
        first = max(0, piece.begin - self.transformer.reach)
        read = x[:, max(0, first - 1) : piece.end]
        h = self.transformer(read, embed=self._without_start if first else self._embed, first=first)
        h = h[:, piece.begin - first :]
        return rms_norm(self.head.of_piece(h, piece))

    @override
    def targets(self, x: Tensor) -> Tensor:
        return rms_norm(self.head(self._states(x)))

    @override
    def targets_at(self, x: Tensor, times: Tensor) -> Tensor:
        # States are computed at all steps, memories at the given times only.
        return rms_norm(self.head(self._states(x), times))

    def _states(self, x: Tensor) -> Float[Tensor, "batch steps width"]:
        """h_0..h_T, `[B, T+1, width]`."""
        return self.transformer(x, embed=self._embed)

    def _without_start(self, x: Tensor) -> Tensor:
        # In every piece's graph: FSDP2 sums gradients that all processes have.
        return self.embed(x) + 0.0 * self.start.sum()

    def _embed(self, x: Tensor) -> Float[Tensor, "batch steps width"]:
        """A learned start symbol, whose state is h_0, and x."""
        e = self.embed(x)
        return torch.cat([self.start.to(e.dtype).expand(e.shape[0], 1, -1), e], 1)


@final
class LinearEncoder(CausalEncoder):
    """A causal Transformer writes to a diagonal linear recurrence, whose state is the memory."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: LinearConfig
    ) -> None:
        """Raises `UsageError` for an odd D."""
        slowest = 2.0 * (signature.length + 1)
        recurrence = DiagonalRecurrence(memory, own.initial_decay_time, slowest)
        super().__init__(signature, config, LinearHead(config.width, recurrence, memory))

    @property
    def recurrence(self) -> DiagonalRecurrence:
        """What moves memories from step to step."""
        assert isinstance(self.head, LinearHead)
        return self.head.recurrence


@final
class RegisterEncoder(CausalEncoder):
    """K learned queries at every t attend to the states of a causal Transformer up to t."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: NoConfig
    ) -> None:
        steps = signature.length + 1
        super().__init__(signature, config, RegisterHead(config.width, config.heads, steps, memory))


@final
class StateEncoder(CausalEncoder):
    """A linear map of a causal Transformer's state at t: cheap, but one state must hold it all."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: NoConfig
    ) -> None:
        super().__init__(signature, config, StateHead(config.width, memory))
