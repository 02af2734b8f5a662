"""L1. Cells by name: those of the table, and the user's own as `module:Name`."""

from typing import Any

from torch import nn

from pastforward.cells import CELLS
from pastforward.cells.base import Cell
from pastforward.cells.wrap import wrap
from pastforward.errors import UsageError
from pastforward.registry import NoConfig
from pastforward.types import MemoryShape


def build_cell(name: str, memory: MemoryShape, inputs: int, config: Any = None) -> Cell:
    """A cell for memories of shape `memory` and embedded inputs of width `inputs`.

    The user's own may be a class with an attribute `Config`, called as (memory, inputs, config); a
    plain `nn.Module` class, built as `Name(inputs, K * D)` like `torch.nn.GRUCell` and wrapped; or
    any function (memory, inputs) -> Cell. `config` holds the cell's dials, its defaults when None.
    Raises `UsageError` for an unknown name, and where what was built is no cell.
    """
    build, dials = CELLS.load(name), CELLS.config(name, config)
    if isinstance(build, type) and issubclass(build, nn.Module) and not issubclass(build, Cell):
        build = wrap(build(inputs, memory.size))
    cell = build(memory, inputs) if isinstance(dials, NoConfig) else build(memory, inputs, dials)
    if not isinstance(cell, Cell):
        raise UsageError(
            f"'{name}' built {type(cell).__name__}, which is no cell; derive it from "
            "pastforward.Cell, or return what pastforward.wrap(module)(memory, inputs) gives."
        )
    return cell
