"""L1. The long short-term memory (Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000)."""

from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.cells import TanhConfig
from pastforward.cells.base import Cell
from pastforward.errors import UsageError
from pastforward.types import MemoryShape


@final
class LSTM(Cell):
    """Slot 0 is the hidden state h, slot 1 the cell state c; so K = 2."""

    def __init__(self, memory: MemoryShape, inputs: int, config: TanhConfig = TanhConfig()) -> None:
        if memory.slots != 2:
            raise UsageError(
                f"An LSTM packs h and c into K = 2 slots, but K = {memory.slots} was given; "
                "set --student.slots to 2."
            )
        super().__init__(memory, inputs)
        self.scale = config.scale
        self.recurrent = nn.Linear(memory.width, 4 * memory.width)
        self.input = nn.Linear(inputs, 4 * memory.width, bias=False)

    @override
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        h, c = m.unbind(-2)
        i, f, o, g = (self.recurrent(h) + self.input(e)).chunk(4, -1)
        # A forget-gate bias of 1 (Jozefowicz et al. 2015).
        kept = torch.sigmoid(f + 1.0) * self.scale * c
        c = kept + torch.sigmoid(i) * torch.tanh(self.scale * g)
        return torch.stack([torch.sigmoid(o) * torch.tanh(c), c], -2)
