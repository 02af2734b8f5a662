"""Every row of the table of cells, small, and modules of a user's own."""

from typing import Any

import torch
from torch import nn

from pastforward.cells import CELLS
from pastforward.cells.base import Cell
from pastforward.cells.build import build_cell, wrap
from pastforward.types import MemoryShape

INPUTS = 3
SHAPES = {
    "elman": (1, 4), "gru": (3, 4), "lstm": (2, 4), "mlp": (1, 8), "transformer": (3, 8),
    "torch-rnn": (1, 4), "torch-gru": (3, 4), "torch-lstm": (1, 8),
}  # fmt: skip
NAMES = [*CELLS, "wrapped", "torch.nn:RNNCell"]


def build(name: str, config: Any = None) -> Cell:
    torch.manual_seed(0)
    memory = MemoryShape(*SHAPES.get(name, (2, 4)))
    if name == "wrapped":
        return wrap(nn.GRUCell(INPUTS, memory.size))(memory, INPUTS).double()
    return build_cell(name, memory, INPUTS, config).double()
