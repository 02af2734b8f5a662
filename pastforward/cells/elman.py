"""L1. The Elman network (Elman 1990): m' = tanh(s (W m + U e + b)), s the memory scale."""

from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.cells import TanhConfig
from pastforward.cells.base import Cell
from pastforward.memory import flat
from pastforward.types import MemoryShape


@final
class Elman(Cell):
    """One tanh layer over the whole memory."""

    def __init__(self, memory: MemoryShape, inputs: int, config: TanhConfig = TanhConfig()) -> None:
        super().__init__(memory, inputs)
        self.scale = config.scale
        self.recurrent = nn.Linear(memory.size, memory.size)
        self.input = nn.Linear(inputs, memory.size, bias=False)
        nn.init.orthogonal_(self.recurrent.weight)

    @override
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        return torch.tanh(self.scale * (self.recurrent(flat(m)) + self.input(e))).view(m.shape)
