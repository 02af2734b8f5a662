"""L1. A module of the user's own as a cell."""

from collections.abc import Callable
from copy import deepcopy
from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.cells.base import Cell
from pastforward.errors import UsageError
from pastforward.memory import flat
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

    Returns a builder `(memory, inputs) -> Cell`. Every cell that it builds has a copy of the
    module, with the weights that the module has then, so no two students share weights. Raises
    `UsageError` when the module, tried once, does not return a state of the shape it was given.
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
