"""Cells of a user's own, as `own_cells:Name`, good and bad."""

from dataclasses import dataclass

from torch import nn

from pastforward.cells.base import Cell
from pastforward.cells.build import wrap
from pastforward.errors import above_zero


@dataclass(frozen=True)
class LeakyConfig:
    leak: float = 0.5

    def __post_init__(self) -> None:
        above_zero(self, "cell", "leak")


class Leaky(Cell):
    """A cell with dials of its own."""

    Config = LeakyConfig

    def __init__(self, memory, inputs, config) -> None:
        super().__init__(memory, inputs)
        self.leak, self.input = config.leak, nn.Linear(inputs, memory.size)

    def transition(self, m, e):
        return self.leak * m + self.input(e).view(m.shape)


class Plain(Cell):
    """A cell without dials."""

    def __init__(self, memory, inputs) -> None:
        super().__init__(memory, inputs)
        self.input = nn.Linear(inputs, memory.size)

    def transition(self, m, e):
        return m + self.input(e).view(m.shape)


SHARED = nn.GRUCell(3, 8)
from_function = wrap(SHARED)
"""A builder, as `wrap` gives it: for E = 3 and K * D = 8."""


def no_cell(memory, inputs):
    return nn.Linear(inputs, memory.size)


class ModuleWithConfig(nn.Module):
    """Called as a cell with dials is, and none."""

    Config = LeakyConfig

    def __init__(self, memory, inputs, config) -> None:
        super().__init__()


class LooseConfig(Plain):
    Config = dict


NUMBER = 3
