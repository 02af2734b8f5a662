"""L5. The help topics of the standard library, byte by byte."""

from pastforward.config import DataConfig, RunConfig, StudentConfig
from pastforward.recipes.flow import flow
from pastforward.recipes.strategies import DEFAULT_STRATEGY


def pydoc(strategy: str = DEFAULT_STRATEGY) -> RunConfig:
    """T = 128."""
    return flow(DataConfig("pydoc"), 128, StudentConfig("mlp", slots=4, width=32), strategy)
