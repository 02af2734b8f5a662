"""L0. Blocks of networks: input embedding, MLP, and Transformers with rotary positions.

Transformers are pre-norm, without biases in attention.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint
from typing_extensions import override

from pastforward.memory import bounded
from pastforward.types import Kind, Tokens


class VectorEmbedding(nn.Linear):
    """Linear, of vectors of any finite size: very large ones keep their direction alone."""

    @override
    def forward(self, input: Float[Tensor, "... channels"]) -> Float[Tensor, "... width"]:
        return super().forward(bounded(input))


class _Unfilled(TorchFunctionMode):
    """Leaves out the functions of `torch.nn.init`."""

    @override
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


@contextmanager
def without_values() -> Iterator[None]:
    """Modules that are built in it have sizes, but no weights to speak of; random states are kept.

    Memory that is never written to takes no space. The meta device would take none either, but its
    first operation imports `torch.compile`, about 2 s.
    """
    with torch.device("cpu"), _Unfilled(), torch.random.fork_rng(devices=[]):
        yield


def embedding(kind: Kind, width: int) -> nn.Module:
    """A module from x_t, tokens `[...]` or vectors `[..., C]`, to e_t `[..., width]`."""
    if isinstance(kind, Tokens):
        return nn.Embedding(kind.size, width)
    return VectorEmbedding(kind.width, width)


def rotary_table(length: int, width: int) -> Float[Tensor, "2 length half"]:
    """Cosines and sines of rotary positions 0..length-1 for heads of `width` (even)."""
    frequency = 1000.0 ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack([angle.cos(), angle.sin()])


def rotate(
    q: Float[Tensor, "... length width"], table: Float[Tensor, "2 *leading length half"]
) -> Float[Tensor, "... length width"]:
    """Rotary positions (RoPE, Su et al. 2021): q.k then depends on the distance of positions."""
    a, b = q.chunk(2, -1)
    cos, sin = table[0], table[1]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Rotary(nn.Module):
    """Tables for up to `length` positions, computed once; those of longer inputs are not kept."""

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


def local_attention(
    q: Float[Tensor, "batch heads length width"], k: Tensor, v: Tensor, window: int
) -> Float[Tensor, "batch heads length width"]:
    """Causal attention of every position to the last `window`, itself included: O(T window).

    In blocks of `window` positions, each of which attends to itself and the block before.
    """
    length = q.shape[2]
    blocks = -(-length // window)
    q, k, v = (F.pad(part, (0, 0, 0, blocks * window - length)) for part in (q, k, v))
    q, k, v = (part.unflatten(2, (blocks, window)) for part in (q, k, v))
    k, v = (torch.cat([F.pad(p, (0, 0, 0, 0, 1, 0))[:, :, :-1], p], 3) for p in (k, v))
    back = window + torch.arange(window, device=q.device)[:, None]
    back = back - torch.arange(2 * window, device=q.device)  # how far a key lies behind
    seen = (back >= 0) & (back < window)
    first = seen & (back <= torch.arange(window, device=q.device)[:, None])
    mask = torch.cat([first[None], seen.expand(blocks - 1, -1, -1)]).unsqueeze(1)
    # Blocks as more sequences: fused kernels take four axes.
    size = len(q)
    q, k, v = (part.transpose(1, 2).flatten(0, 1) for part in (q, k, v))
    read = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.repeat(size, 1, 1, 1))
    return read.unflatten(0, (size, blocks)).transpose(1, 2).flatten(2, 3)[:, :, :length]


class Attention(nn.Module):
    """Multi-head self-attention, `causal` or over all positions."""

    def __init__(self, width: int, heads: int, causal: bool, window: int | None = None) -> None:
        """With `window`, causal attention is to the last so many positions alone."""
        super().__init__()
        self.heads, self.causal, self.window = heads, causal, window
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self,
        h: Float[Tensor, "batch length width"],
        table: Float[Tensor, "2 length half"] | None,
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """`mask` (True where attended to) broadcasts to `[batch, heads, length, length]`."""
        q, k, v = self.qkv(h).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if table is not None:
            q, k = rotate(q, table), rotate(k, table)
        return self.out(self._attended(q, k, v, mask).transpose(1, 2).flatten(-2))

    def _attended(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if self.window is not None and self.window < q.shape[2]:
            return local_attention(q, k, v, self.window)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)

    @torch.no_grad()
    def scale_query_key(self, factor: float) -> None:
        """Multiply the weights of queries and keys by `factor`."""
        self.qkv.weight[: 2 * len(self.qkv.weight) // 3] *= factor

    def one_head(self, head: int, h: Tensor, table: Tensor, mask: Tensor | None) -> Tensor:
        """What one head adds to the output of `forward`, `[B, T, width]`."""
        weight = self.qkv.weight.unflatten(0, (3, self.heads, -1))[:, head]
        q, k, v = F.linear(h, weight.flatten(0, 1)).unsqueeze(1).chunk(3, -1)
        q, k = rotate(q, table), rotate(k, table)
        read = self._attended(q, k, v, mask)
        return F.linear(read[:, 0], self.out.weight.unflatten(1, (self.heads, -1))[:, head])


class Mlp(nn.Module):
    """Two linear layers and a SiLU (on a CPU three times as fast as a GELU)."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, out)

    def forward(self, h: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        """Any leading axes."""
        return self.down(F.silu(self.up(h)))


class Block(nn.Module):
    """Pre-norm attention and MLP, both residual."""

    def __init__(self, width: int, heads: int, causal: bool, window: int | None = None) -> None:
        """`window` as in `Attention`."""
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = Attention(width, heads, causal, window)
        self.mlp = Mlp(width, 4 * width, width)

    def forward(
        self,
        h: Float[Tensor, "batch length width"],
        table: Float[Tensor, "2 length half"] | None,
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Shapes as in `Attention`."""
        return self.feed_forward(h + self.attention(self.norms[0](h), table, mask))

    def feed_forward(self, h: Tensor) -> Tensor:
        """Residual MLP."""
        return h + self.mlp(self.norms[1](h))


class Transformer(nn.Module):
    """`depth` blocks with rotary positions, and a last norm."""

    def __init__(
        self, width: int, depth: int, heads: int, length: int, causal: bool,
        recompute: int | None = None, window: int | None = None,
    ) -> None:  # fmt: skip
        """`window` as in `Attention`. With `recompute`, the backward pass computes layers again
        from the input of the first, the MLP for so many positions at a time."""
        super().__init__()
        self.rotary = Rotary(length, width // heads)
        self.blocks = nn.ModuleList([Block(width, heads, causal, window) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.recompute = recompute
        # Positions before the first that a state depends on nothing of.
        self.reach = None if window is None else depth * (window - 1)

    def forward(
        self, x: Tensor, mask: Tensor | None = None,
        embed: Callable[[Tensor], Tensor] | None = None, first: int = 0,
    ) -> Float[Tensor, "batch length width"]:  # fmt: skip
        """Shapes as in `Attention`; `embed` makes the first block's input `[B, T, width]` of x.

        The first position is number `first`.
        """

        def run(block: nn.Module, h: Tensor) -> Tensor:
            table = self.rotary(first + h.shape[1])[:, first:]
            if self.recompute is None:
                return block(h, table, mask)
            return _checkpointed_block(self.recompute, block, h, table, mask)

        layers = [embed or nn.Identity(), *(partial(run, block) for block in self.blocks)]
        if self.recompute is not None:
            return self.norm(_checkpointed(layers, x))
        for layer in layers:
            x = layer(x)
        return self.norm(x)


def _checkpointed(layers: list[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
    """Layers in sequence; of all activations only x is kept for the backward pass.

    The backward pass of the last layer computes its input from x, then that of the layer before
    does: d^2 / 2 forward passes of a layer instead of d stored inputs.
    """
    *before, last = layers
    if not before:
        return last(x)
    return checkpoint(lambda x: last(_checkpointed(before, x)), x, use_reentrant=False)


def _checkpointed_block(
    chunk: int, block: nn.Module, h: Tensor, table: Tensor, mask: Tensor | None
) -> Tensor:
    """A block, one head at a time; its MLP, whose hidden layer is the widest, `chunk` positions."""
    assert isinstance(block, Block)

    def one_head(head: int, h: Tensor) -> Tensor:
        return block.attention.one_head(head, block.norms[0](h), table, mask)

    attended = h
    for head in range(block.attention.heads):
        attended = attended + checkpoint(one_head, head, h, use_reentrant=False)
    chunks = attended.split(chunk, 1)
    return torch.cat([checkpoint(block.feed_forward, h, use_reentrant=False) for h in chunks], 1)
