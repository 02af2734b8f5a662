"""L5. Recipes: a run is a function that returns a frozen config.

Nothing here imports torch until data is looked at, so that the command line answers at once.
"""

from pastforward.registry import Entry, Registry


def _row(target: str, summary: str) -> Entry:
    return Entry(f"pastforward.recipes.{target}", summary=summary)


RECIPES: Registry[Entry] = Registry(
    "recipe",
    {
        "digits": _row("real_data:digits", "handwritten digits, 64 pixels, 17 grey levels"),
        "pydoc": _row("real_data:pydoc", "Python's help topics, byte by byte"),
        "copy32": _row("tuned:copy32", "string copy, T = 32"),
        "copy64": _row("tuned:copy64", "string copy, T = 64"),
        "smnist14": _row("labelled:smnist14", "MNIST's digits by 14 x 14 = 196 pixels in a row"),
        "smnist": _row("labelled:smnist", "MNIST's digits by 784 pixels in a row"),
        "psmnist": _row("labelled:psmnist", "the same, pixels in one fixed random order"),
        "retrieval128": _row("tuned:retrieval", "one marked symbol, asked for at the end"),
    },
)
"""Functions (strategy, cell) -> RunConfig, by the names that `train` and `compare` take."""
