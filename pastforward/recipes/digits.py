"""L5. Handwritten digits as sequences of 64 pixels."""

from dataclasses import replace

from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.recipes.pixels import pixels
from pastforward.recipes.strategies import DEFAULT_STRATEGY


def digits(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp") -> RunConfig:
    """T = 64, 17 grey levels; 1297 training images, which more time would overfit."""
    config = pixels(DataConfig("digits"), 64, 8, strategy, cell)
    return replace(config, budget=Budget(seconds=95.0))
