"""L1. A residual multilayer perceptron as a cell: m' = m + W2 silu(W1 m + U e + b)."""

from typing import final

from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.cells import MLPConfig
from pastforward.cells.base import Cell
from pastforward.memory import flat
from pastforward.types import MemoryShape


@final
class ResidualMLP(Cell):
    """One hidden layer of `expand` times the memory's size."""

    def __init__(self, memory: MemoryShape, inputs: int, config: MLPConfig = MLPConfig()) -> None:
        super().__init__(memory, inputs)
        hidden = config.expand * memory.size
        self.recurrent = nn.Linear(memory.size, hidden)
        self.input = nn.Linear(inputs, hidden, bias=False)
        self.down = nn.Linear(hidden, memory.size)

    @override
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        hidden = F.silu(self.recurrent(flat(m)) + self.input(e))
        return m + self.down(hidden).view(m.shape)
