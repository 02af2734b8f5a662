"""L1. The paper's cell: a Transformer over the K memory slots and one token for the input."""

from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.blocks import Block
from pastforward.cells import TransformerCellConfig
from pastforward.cells.base import Cell
from pastforward.errors import UsageError
from pastforward.memory import bounded
from pastforward.types import MemoryShape


@final
class TransformerCell(Cell):
    """`depth` blocks of full attention over K + 1 tokens of width D, with learned slot embeddings.

    Raises `UsageError` where the heads don't divide D.
    """

    def __init__(
        self, memory: MemoryShape, inputs: int,
        config: TransformerCellConfig = TransformerCellConfig(),
    ) -> None:  # fmt: skip
        if memory.width % config.heads:
            raise UsageError(
                f"The transformer cell has {config.heads} heads, which can't share a width of "
                f"{memory.width}; give a --student.width that {config.heads} divides, or other "
                "--cell.heads."
            )
        super().__init__(memory, inputs)
        self.slot_embedding = nn.Parameter(0.02 * torch.randn(memory.slots, memory.width))
        self.input = nn.Linear(inputs, memory.width)
        self.blocks = nn.ModuleList(
            [Block(memory.width, config.heads, causal=False) for _ in range(config.depth)]
        )

    @override
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        tokens = torch.cat([m + self.slot_embedding, self.input(bounded(e)).unsqueeze(-2)], -2)
        h = tokens.flatten(0, -3) if m.dim() > 2 else tokens[None]
        for block in self.blocks:
            h = block(h, None)
        return h[:, :-1].reshape(m.shape) - self.slot_embedding
