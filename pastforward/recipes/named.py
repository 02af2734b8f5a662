"""L5. Recipes of tasks at the lengths that have a name of their own."""

from functools import partial

from pastforward.recipes.copy import copy
from pastforward.recipes.retrieval import retrieval

copy32, copy64 = partial(copy, length=32), partial(copy, length=64)
retrieval128 = partial(retrieval, length=128)
