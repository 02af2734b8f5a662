"""L5. Recipes: a run is a function that returns a frozen config.

Nothing here imports torch until data is looked at, so that the command line answers at once.
"""

from collections.abc import Callable
from functools import partial

from pastforward.config import RunConfig
from pastforward.recipes.auto import for_path
from pastforward.recipes.copy import copy
from pastforward.recipes.digits import digits
from pastforward.recipes.names import at_length, stem, without_length
from pastforward.recipes.pydoc import pydoc
from pastforward.recipes.retrieval import retrieval
from pastforward.recipes.stored import STORED_STRATEGY, for_labels
from pastforward.recipes.strategies import DEFAULT_STRATEGY, STRATEGIES, stages

RECIPES: dict[str, Callable[[str], RunConfig]] = {
    "digits": digits,
    "pydoc": pydoc,
    "copy32": partial(copy, length=32),
    "copy64": partial(copy, length=64),
    "retrieval128": partial(retrieval, length=128),
}
"""Functions `(way) -> RunConfig`, by the names that the command line knows."""

__all__ = [
    "RECIPES", "STORED_WAY", "USUAL_WAY", "WAYS", "at_length", "copy", "digits",
    "for_labels", "for_path", "pydoc", "retrieval", "stages", "stem",
    "without_length",
]  # fmt: skip
