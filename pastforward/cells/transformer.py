"""L1. The paper's cell: a Transformer over the K memory slots and one token for the input."""

import torch
from torch import Tensor, nn

from pastforward.blocks import Block
from pastforward.cells.base import Cell
from pastforward.types import MemoryShape


class TransformerCell(Cell):
    """`depth` blocks of full attention over K + 1 tokens of width D; slots keep their places."""

    def __init__(self, memory: MemoryShape, inputs: int, depth: int = 2, heads: int = 4) -> None:
        super().__init__(memory, inputs)
        self.places = nn.Parameter(0.02 * torch.randn(memory.slots, memory.width))
        self.input = nn.Linear(inputs, memory.width)
        self.blocks = nn.ModuleList(
            [Block(memory.width, heads, causal=False) for _ in range(depth)]
        )

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """See `Cell`."""
        tokens = torch.cat([m + self.places, self.input(e).unsqueeze(-2)], -2)
        h = tokens.flatten(0, -3) if m.dim() > 2 else tokens[None]
        for block in self.blocks:
            h = block(h, None)
        return h[:, :-1].reshape(m.shape) - self.places
