"""L5. Sizes that recipes share: a student's memory, and sequences in a batch."""

from pastforward.cells import CELLS, StudentConfig, TanhConfig, TorchConfig
from pastforward.training import FitConfig


def student_for(
    cell: str, slots: int, width: int, scale: float = 1.0, unit: float | None = None
) -> StudentConfig:
    """K = `slots` of D = `width`; a cell with its own K (an LSTM: 2) keeps the K * D numbers.

    `scale` is the memory scale of cells with a tanh, `unit` that of `torch.nn`'s cells, whose
    default stays where it is None.
    """
    needed = CELLS[cell].slots if cell in CELLS else None
    size = slots * width
    if needed is not None and slots != needed and size % needed == 0:
        slots, width = needed, size // needed
    kind = CELLS[cell].config if cell in CELLS else None
    own = None
    if kind is TanhConfig and scale != 1.0:
        own = TanhConfig(scale)
    elif kind is TorchConfig and unit is not None:
        own = TorchConfig(scale=unit)
    return StudentConfig(cell, slots, width, cell_config=own)


def fit_for(length: int, most: int = 32) -> FitConfig:
    """About 2048 positions in a batch of 8 to `most` sequences of T = `length`."""
    return FitConfig(batch=max(8, min(most, 2048 // length)))
