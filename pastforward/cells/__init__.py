"""L0. Cells: one-step maps on memories. Their dials and their table; imports no torch."""

from dataclasses import dataclass
from typing import Any

from pastforward.errors import above_zero, at_least
from pastforward.registry import Entry, Registry


@dataclass(frozen=True)
class TanhConfig:
    """Dials of the cells that bound their memory by a tanh: elman, gru, lstm."""

    scale: float = 1.0
    """Root-mean-square of a memory inside the tanh. At 0.1 or less it is nearly linear, so the cell
    can rotate a memory without loss, as a linear recurrence does."""

    def __post_init__(self) -> None:
        above_zero(self, "cell", "scale")


@dataclass(frozen=True)
class TorchConfig:
    """Dials of `torch.nn.RNN`, `GRU` and `LSTM` as cells."""

    layers: int = 1
    """L. The memory holds h of each layer (an LSTM: h, then c, of each), so the hidden size is
    K * D / L, an LSTM's K * D / 2L."""
    scale: float = 0.25
    """Unit of the memory: h = scale * m, so that h stays within (-1, 1) where m has the
    root-mean-square 1 of target memories. The network is the same at any scale."""

    def __post_init__(self) -> None:
        at_least(self, "cell", 1, "layers")
        above_zero(self, "cell", "scale")


@dataclass(frozen=True)
class MLPConfig:
    """Dials of the residual MLP cell."""

    expand: int = 2
    """Hidden units over the memory's size K * D."""

    def __post_init__(self) -> None:
        at_least(self, "cell", 1, "expand")


@dataclass(frozen=True)
class TransformerCellConfig:
    """Dials of the Transformer cell."""

    depth: int = 2
    """Blocks."""
    heads: int = 4
    """Attention heads; they must divide D, the width of a slot."""

    def __post_init__(self) -> None:
        at_least(self, "cell", 1, "depth", "heads")


@dataclass(frozen=True)
class StudentConfig:
    """The recurrent network that ships: a cell, its memory of K slots of width D, a readout."""

    cell: str = "mlp"
    """A name in `CELLS`, or a cell of your own as module:Name."""
    slots: int = 1
    """K, memory slots (an LSTM needs 2, for h and c)."""
    width: int = 128
    """D, width of a slot."""
    embed: int = 64
    """E, width of an embedded input."""
    hidden: int = 128
    """Hidden units of the readout; 0 for a linear one."""
    cell_config: Any = None
    """Dials of the cell; its defaults when None."""

    def __post_init__(self) -> None:
        at_least(self, "student", 1, "slots", "width", "embed")
        at_least(self, "student", 0, "hidden")


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
        "torch-rnn": CellEntry(
            "pastforward.cells.torch_nn:TorchRNN", TorchConfig, "torch.nn.RNN as it is, no norm"
        ),
        "torch-gru": CellEntry(
            "pastforward.cells.torch_nn:TorchGRU", TorchConfig, "torch.nn.GRU as it is, no norm"
        ),
        "torch-lstm": CellEntry(
            "pastforward.cells.torch_nn:TorchLSTM", TorchConfig, "torch.nn.LSTM as it is, no norm"
        ),
        "mlp": CellEntry("pastforward.cells.mlp:ResidualMLP", MLPConfig, "residual MLP"),
        "transformer": CellEntry(
            "pastforward.cells.transformer:TransformerCell",
            TransformerCellConfig,
            "Transformer over the K slots and the input, as in the paper",
        ),
    },
)
