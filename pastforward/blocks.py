"""L0. Transformer pieces: rotary positions, attention, blocks. Pre-norm, no biases in attention."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


def rotary_table(length: int, width: int) -> Float[Tensor, "2 length half"]:
    """Cosines and sines of rotary positions 0..length-1 for heads of `width` (even)."""
    frequency = 1000.0 ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack([angle.cos(), angle.sin()])


def rotate(
    q: Float[Tensor, "... length width"], table: Float[Tensor, "2 *leading length half"]
) -> Float[Tensor, "... length width"]:
    """Turn each pair of channels by its position, so that q.k depends on distance (RoPE)."""
    a, b = q.chunk(2, -1)
    cos, sin = table[0], table[1]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Rotary(nn.Module):
    """Tables for up to `length` positions, computed once; longer inputs compute their own."""

    table: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("table", rotary_table(length, width), persistent=False)

    def forward(self, length: int) -> Float[Tensor, "2 length half"]:
        """The table of positions 0..length-1."""
        if length <= self.table.shape[1]:
            return self.table[:, :length]
        return rotary_table(length, self.width).to(self.table)


class Attention(nn.Module):
    """Multi-head self-attention, `causal` or over all positions."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self,
        h: Float[Tensor, "batch length width"],
        table: Float[Tensor, "2 length half"] | None,
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """`mask` (True where attention may look) broadcasts to [batch, heads, length, length]."""
        q, k, v = self.qkv(h).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if table is not None:
            q, k = rotate(q, table), rotate(k, table)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).flatten(-2))

    @torch.no_grad()
    def scale_query_key(self, factor: float) -> None:
        """Multiply the weights of queries and keys."""
        self.qkv.weight[: 2 * len(self.qkv.weight) // 3] *= factor

    def one_head(self, head: int, h: Tensor, table: Tensor, mask: Tensor | None) -> Tensor:
        """The share of one head in `forward`, `[B, T, width]`."""
        weight = self.qkv.weight.unflatten(0, (3, self.heads, -1))[:, head]
        q, k, v = F.linear(h, weight.flatten(0, 1)).unsqueeze(1).chunk(3, -1)
        q, k = rotate(q, table), rotate(k, table)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
        return F.linear(mixed[:, 0], self.out.weight.unflatten(1, (self.heads, -1))[:, head])


class Mlp(nn.Module):
    """Two layers with a SiLU between (a third of the time of a GELU on a CPU)."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, out)

    def forward(self, h: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        """One position at a time."""
        return self.down(F.silu(self.up(h)))


class Block(nn.Module):
    """Pre-norm attention and MLP, both residual."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = Attention(width, heads, causal)
        self.mlp = Mlp(width, 4 * width, width)

    def forward(
        self,
        h: Float[Tensor, "batch length width"],
        table: Float[Tensor, "2 length half"] | None,
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Shapes as in `Attention`."""
        return self.feed_forward(self.mix(h, table, mask))

    def mix(self, h: Tensor, table: Tensor | None, mask: Tensor | None = None) -> Tensor:
        """The first half: between positions."""
        return h + self.attention(self.norms[0](h), table, mask)

    def feed_forward(self, h: Tensor) -> Tensor:
        """The second half: each position by itself."""
        return h + self.mlp(self.norms[1](h))


class Transformer(nn.Module):
    """`depth` blocks over rotary positions and a last norm."""

    def __init__(
        self, width: int, depth: int, heads: int, length: int, causal: bool,
        chunk: int | None = None,
    ) -> None:  # fmt: skip
        """With `piece` nothing is kept for the way back but the tower's input; see `_sparing`."""
        super().__init__()
        self.rotary = Rotary(length, width // heads)
        self.blocks = nn.ModuleList([Block(width, heads, causal) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.chunk = chunk

    def forward(
        self, x: Tensor, mask: Tensor | None = None, enter: Callable[[Tensor], Tensor] | None = None
    ) -> Float[Tensor, "batch length width"]:
        """Shapes as in `Attention`; `enter` makes the first block's input `[B, T, width]` of x."""
        first = enter or nn.Identity()

        def run(block: nn.Module, h: Tensor) -> Tensor:
            table = self.rotary(h.shape[1])
            if self.chunk is None:
                return block(h, table, mask)
            return _in_parts(self.chunk, block, h, table, mask)

        parts = [first, *(partial(run, block) for block in self.blocks)]
        if self.chunk is not None:
            return self.norm(_sparing(parts, x))
        for part in parts:
            x = part(x)
        return self.norm(x)


def _sparing(parts: list[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
    """Parts one after the other; of all that they compute only x is kept for the way back.

    What enters the last part is found once more from x when its turn comes, then what enters the
    one before: d^2 / 2 passes of blocks in place of d kept inputs.
    """
    *before, last = parts
    if not before:
        return last(x)
    return checkpoint(lambda x: last(_sparing(before, x)), x, use_reentrant=False)


def _in_parts(
    chunk: int, block: nn.Module, h: Tensor, table: Tensor, mask: Tensor | None
) -> Tensor:
    """A block a head at a time; its MLP, whose hidden layer is the largest of all, by pieces."""
    assert isinstance(block, Block)

    def one_head(head: int, h: Tensor) -> Tensor:
        return block.attention.one_head(head, block.norms[0](h), table, mask)

    mixed = h
    for head in range(block.attention.heads):
        mixed = mixed + checkpoint(one_head, head, h, use_reentrant=False)
    parts = [checkpoint(block.feed_forward, p, use_reentrant=False) for p in mixed.split(chunk, 1)]
    return torch.cat(parts, 1)
