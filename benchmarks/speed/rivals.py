"""The rivals, which are no part of the library: what others would use instead."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.blocks import Block, rotary_table, rotate
from pastforward.losses import masked_mean, variance_unexplained
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.outputs import output_loss
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import AnyBatch, Batch


@final
class PaperDMT(RolloutMethod):
    """DMT as in arXiv 2606.06479: a sequential rollout with its gradient, some target memories."""

    def __init__(self, student: Student, teacher: Teacher, every: int = 16) -> None:
        """Target memories at t = `every`, 2 `every`, ..."""
        super().__init__(student)
        self.teacher, self.every = teacher, every

    @override
    def serial_calls(self, length: int) -> int:
        return length

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        student, (count, length) = self.student, batch.mask.shape
        times = torch.arange(self.every, length + 1, self.every).expand(count, -1)
        with torch.no_grad():
            targets = self.teacher.encoder.targets_at(batch.x, times)
        own = student.rollout(batch.x)
        dynamics = variance_unexplained(own[:, times[0]], targets).mean()
        read = output_loss(student.signature.outputs, student.readout(own[:, 1:]), batch.y)
        readout = masked_mean(read, batch.mask)
        return Losses(dynamics + readout, {"dynamics": dynamics.detach()})


@final
class FusedBPTT(nn.Module):
    """`torch.nn.GRU` or `nn.LSTM` trained through time: their loop over t is in C++."""

    def __init__(self, kind: str, symbols: int, inputs: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, inputs)
        self.net = {"gru": nn.GRU, "lstm": nn.LSTM}[kind](inputs, width, batch_first=True)
        self.readout = nn.Sequential(nn.Linear(width, 128), nn.SiLU(), nn.Linear(128, symbols))

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """The mean loss of a batch."""
        logits = self.readout(self.net(self.embed(batch.x))[0])
        return F.cross_entropy(logits.flatten(0, 1), batch.y.flatten())


@final
class CachedTransformer(nn.Module):
    """A causal Transformer that generates a token a step from its cache of keys and values."""

    def __init__(self, symbols: int, width: int, depth: int, heads: int, context: int) -> None:
        """The cache holds `context` positions, all of which are attended to."""
        super().__init__()
        self.embed = nn.Embedding(symbols, width)
        self.blocks = nn.ModuleList([Block(width, heads, causal=True) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, symbols)
        self.table = rotary_table(context, width // heads)[:, -1:]
        self.cache = torch.randn(depth, 2, 1, heads, context, width // heads)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `[1, symbols]` of the token after x `[1]`, which is added to the cache."""
        h = self.embed(x)[:, None]
        for block, cache in zip(self.blocks, self.cache.unbind(0), strict=True):
            assert isinstance(block, Block)
            h = h + self._attend(block, block.norms[0](h), cache)
            h = block.feed_forward(h)
        return self.head(self.norm(h[:, 0]))

    def _attend(self, block: Block, h: Tensor, cache: Tensor) -> Tensor:
        attention = block.attention
        q, k, v = attention.qkv(h).unflatten(-1, (3, attention.heads, -1)).permute(2, 0, 3, 1, 4)
        cache[0, :, :, -1:] = rotate(k, self.table)
        cache[1, :, :, -1:] = v
        mixed = F.scaled_dot_product_attention(rotate(q, self.table), cache[0], cache[1])
        return attention.out(mixed.transpose(1, 2).flatten(-2))
