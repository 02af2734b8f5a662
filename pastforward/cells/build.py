"""L1. Cells by name (`CELLS`, or `module:Name`), and modules of the user's own as cells."""

import inspect
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.cells import CELLS
from pastforward.cells.base import Cell
from pastforward.errors import UsageError
from pastforward.memory import flat
from pastforward.registry import NoConfig
from pastforward.types import MemoryShape

CellBuilder = Callable[[MemoryShape, int], Cell]
"""(memory, width E of an embedded input) to a cell."""


@final
class WrappedCell(Cell):
    """Calls `module(e [N, E], m [N, K * D]) -> [N, K * D]`, the order of `torch.nn.GRUCell`."""

    def __init__(self, module: nn.Module, memory: MemoryShape, inputs: int) -> None:
        super().__init__(memory, inputs)
        self.module = module

    @override
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        rows = flat(m).reshape(-1, self.memory.size)
        return self.module(e.reshape(-1, self.inputs), rows).view(m.shape)


def wrap(module: nn.Module) -> CellBuilder:
    """Make a cell of any `nn.Module` that maps (input `[N, E]`, state `[N, K * D]`) to a state.

    Returns a builder `(memory, inputs) -> Cell`. Every cell that it builds has its own copy of the
    module. Raises `UsageError` when the module, tried once, returns no state of the same shape.
    """

    def build(memory: MemoryShape, inputs: int) -> WrappedCell:
        own = deepcopy(module)
        _try(own, memory, inputs)
        return WrappedCell(own, memory, inputs)

    return build


def _try(module: nn.Module, memory: MemoryShape, inputs: int) -> None:
    given = torch.zeros(2, memory.size)
    try:
        found = module(torch.zeros(2, inputs), given)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UsageError(
            f"{type(module).__name__} can't be called as module(input [N, {inputs}], "
            f"state [N, {memory.size}]) ({error}); give it these widths."
        ) from error
    if not isinstance(found, Tensor) or found.shape != given.shape:
        shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise UsageError(
            f"{type(module).__name__} returned {shape} where a state [2, {memory.size}] was "
            "expected; return the new state alone."
        )


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
