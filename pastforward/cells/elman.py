"""L1. The Elman network (1990): m' = tanh(s (W m + U e + b)), s the memory scale."""

import torch
from torch import Tensor, nn

from pastforward.cells.base import Cell
from pastforward.memory import flat
from pastforward.types import MemoryShape


class Elman(Cell):
    """One tanh layer over the whole memory."""

    def __init__(self, memory: MemoryShape, inputs: int) -> None:
        super().__init__(memory, inputs)
        self.recurrent = nn.Linear(memory.size, memory.size)
        self.input = nn.Linear(inputs, memory.size, bias=False)
        nn.init.orthogonal_(self.recurrent.weight)

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """See `Cell`."""
        return torch.tanh(self.scale * (self.recurrent(flat(m)) + self.input(e))).view(m.shape)
