"""L5. Handwritten digits as sequences of 64 pixels: the default of `make run`."""

from dataclasses import replace

from pastforward.config import Budget, DataConfig, RunConfig
from pastforward.recipes.pixels import pixels
from pastforward.recipes.strategies import DEFAULT_STRATEGY


def digits(strategy: str = DEFAULT_STRATEGY) -> RunConfig:
    """T = 64, 17 grey levels; 1297 training images, which more time learns by heart."""
    return replace(pixels(DataConfig("digits"), 64, 8, strategy), budget=Budget(seconds=95.0))
