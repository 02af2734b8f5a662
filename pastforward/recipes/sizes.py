"""L5. Sizes that recipes share: a student's memory, and sequences in a batch."""

from pastforward.cells import CELLS, StudentConfig, TanhConfig
from pastforward.training import FitConfig


def student_for(cell: str, slots: int, width: int, scale: float = 1.0) -> StudentConfig:
    """K = `slots` of D = `width`; a cell with its own K (an LSTM: 2) keeps the K * D numbers.

    `scale` is the memory scale of cells with a tanh.
    """
    needed = CELLS[cell].slots if cell in CELLS else None
    size = slots * width
    if needed is not None and slots != needed and size % needed == 0:
        slots, width = needed, size // needed
    tanh = cell in CELLS and CELLS[cell].config is TanhConfig and scale != 1.0
    return StudentConfig(cell, slots, width, cell_config=TanhConfig(scale) if tanh else None)


def fit_for(length: int, most: int = 32) -> FitConfig:
    """About 2048 positions in a batch of 8 to `most` sequences of T = `length`."""
    return FitConfig(batch=max(8, min(most, 2048 // length)))
