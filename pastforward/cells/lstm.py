"""L1. The long short-term memory (Hochreiter & Schmidhuber 1997; forget gate, Gers 2000)."""

import torch
from torch import Tensor, nn

from pastforward.cells.base import Cell
from pastforward.errors import UsageError
from pastforward.types import MemoryShape


class LSTM(Cell):
    """Slot 0 is the hidden state h, slot 1 the cell state c; so K = 2."""

    def __init__(self, memory: MemoryShape, inputs: int) -> None:
        if memory.slots != 2:
            raise UsageError(
                f"An LSTM packs h and c into K = 2 slots, but K = {memory.slots} was given; "
                "set slots to 2."
            )
        super().__init__(memory, inputs)
        self.recurrent = nn.Linear(memory.width, 4 * memory.width)
        self.input = nn.Linear(inputs, 4 * memory.width, bias=False)

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """See `Cell`."""
        h, c = m.unbind(-2)
        i, f, o, g = (self.recurrent(h) + self.input(e)).chunk(4, -1)
        # The shift of 1 opens the forget gate at the start (Jozefowicz et al. 2015).
        kept = torch.sigmoid(f + 1.0) * self.scale * c
        c = kept + torch.sigmoid(i) * torch.tanh(self.scale * g)
        return torch.stack([torch.sigmoid(o) * torch.tanh(c), c], -2)
