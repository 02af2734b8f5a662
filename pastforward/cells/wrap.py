"""L1. A user's own module as a cell."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pastforward.cells.base import Cell
from pastforward.errors import UsageError
from pastforward.memory import flat
from pastforward.types import MemoryShape


class WrappedCell(Cell):
    """Calls `module(e [N, E], m [N, K * D]) -> [N, K * D]`, the order of `torch.nn.GRUCell`."""

    def __init__(self, module: nn.Module, memory: MemoryShape, inputs: int) -> None:
        super().__init__(memory, inputs)
        self.module = module

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """See `Cell`."""
        rows = flat(m).reshape(-1, self.memory.size)
        return self.module(e.reshape(-1, self.inputs), rows).view(m.shape)


def wrap(module: nn.Module) -> Callable[[MemoryShape, int], WrappedCell]:
    """Make a cell of any `nn.Module` that maps (input `[N, E]`, state `[N, K * D]`) to a state.

    Returns a builder `(memory, inputs) -> Cell` as the built-in cells are. Raises `UsageError`
    when the module, tried once, does not give a state of the shape that it was handed.
    """

    def build(memory: MemoryShape, inputs: int) -> WrappedCell:
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
        return WrappedCell(module, memory, inputs)

    return build
