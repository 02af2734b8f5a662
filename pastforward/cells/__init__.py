"""L1. Cells: one-step maps on memories, and the table of those that have a name."""

from collections.abc import Callable

from pastforward.cells.base import Cell
from pastforward.cells.elman import Elman
from pastforward.cells.gru import GRU
from pastforward.cells.lstm import LSTM
from pastforward.cells.mlp import ResidualMLP
from pastforward.cells.transformer import TransformerCell
from pastforward.cells.wrap import WrappedCell, wrap
from pastforward.types import MemoryShape

CellBuilder = Callable[[MemoryShape, int], Cell]

CELLS: dict[str, CellBuilder] = {
    "elman": Elman,
    "gru": GRU,
    "lstm": LSTM,
    "mlp": ResidualMLP,
    "transformer": TransformerCell,
}

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "Cell",
    "CellBuilder",
    "Elman",
    "ResidualMLP",
    "TransformerCell",
    "WrappedCell",
    "wrap",
]
