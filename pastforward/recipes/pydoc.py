"""L5. The help topics of the standard library, byte by byte."""

from pastforward.config import RunConfig
from pastforward.data import DataConfig
from pastforward.recipes.flow import flow
from pastforward.recipes.memory import student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY


def pydoc(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp") -> RunConfig:
    """T = 128."""
    return flow(DataConfig("pydoc"), 128, student_for(cell, slots=4, width=32), strategy)
