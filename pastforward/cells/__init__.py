"""L1. Cells: one-step maps on memories, and the table of those that have a name."""

from dataclasses import dataclass

from pastforward.cells.configs import MLPConfig, TanhConfig, TransformerCellConfig
from pastforward.registry import Entry, Registry


@dataclass(frozen=True)
class CellEntry(Entry):
    """A row of `CELLS`: a class called as (MemoryShape, input width E, its config)."""

    slots: int | None = None
    """K where the cell needs a certain number of slots."""


CELLS: Registry[CellEntry] = Registry(
    "cell",
    {
        "elman": CellEntry("pastforward.cells.elman:Elman", TanhConfig, "one tanh layer"),
        "gru": CellEntry("pastforward.cells.gru:GRU", TanhConfig, "gated recurrent unit"),
        "lstm": CellEntry(
            "pastforward.cells.lstm:LSTM", TanhConfig, "long short-term memory, K = 2", slots=2
        ),
        "mlp": CellEntry("pastforward.cells.mlp:ResidualMLP", MLPConfig, "residual MLP"),
        "transformer": CellEntry(
            "pastforward.cells.transformer:TransformerCell",
            TransformerCellConfig,
            "Transformer over the K slots and the input, as in the paper",
        ),
    },
)
