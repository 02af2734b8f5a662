"""L1. Cells by name: those of the table, and the user's own as `module:Name`."""

import inspect
from collections.abc import Sequence
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
    arguments = (memory, inputs) if isinstance(dials, NoConfig) else (memory, inputs, dials)
    if len(arguments) == 2 and _is_plain_module(build):
        build = wrap(_called(name, build, (inputs, memory.size)))
    cell = _called(name, build, arguments)
    if not isinstance(cell, Cell):
        raise _no_cell(name, f"built {type(cell).__name__}")
    return cell


def _is_plain_module(build: Any) -> bool:
    return isinstance(build, type) and issubclass(build, nn.Module) and not issubclass(build, Cell)


def _called(name: str, build: Any, arguments: Sequence[Any]) -> Any:
    """`build(*arguments)`; `UsageError` where it takes other arguments."""
    if not callable(build):
        raise _no_cell(name, f"is of type {type(build).__name__}")
    try:
        inspect.signature(build).bind(*arguments)
    except TypeError as error:
        kinds = ", ".join(type(argument).__name__ for argument in arguments)
        raise _no_cell(name, f"can't be called with ({kinds}) ({error})") from error
    return build(*arguments)


def _no_cell(name: str, what: str) -> UsageError:
    return UsageError(
        f"'{name}' {what}, which is no cell; derive it from pastforward.Cell, or return what "
        "pastforward.wrap(module)(memory, inputs) gives."
    )
