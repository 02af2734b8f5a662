"""L1. Labelled data sets of the Hugging Face hub, with their columns named."""

from typing import Any

import numpy as np

from pastforward.data import LabelledConfig
from pastforward.data.labelled import Reading
from pastforward.data.named import column_of, load_hub
from pastforward.data.targets import Given
from pastforward.errors import UsageError

_PARTS = {"train": "train", "validation": "valid", "test": "test"}


def read_hub(source: str, options: LabelledConfig) -> Reading:
    """hf:NAME or hf:NAME:CONFIG, all in memory: texts or lists of numbers, and their labels.

    `columns` names the one of the inputs (text when not given) and `target` that of the labels
    (label when not given). Raises `UsageError` where they are not there.
    """
    if len(options.columns) > 1 or len(options.target) > 1:
        raise UsageError(
            f"Columns {options.columns} and targets {options.target} were named for '{source}'; "
            "name one of each."
        )
    column, target = (options.columns or ("text",))[0], (options.target or ("label",))[0]
    parts = {
        _PARTS[split]: _part(source, table, column, target)
        for split, table in load_hub(source).items()
    }
    return Reading(source, parts, how=f"{column} labelled by {target}")


def _part(source: str, table: Any, column: str, target: str) -> Given:
    x, y = list(column_of(source, table, column)), column_of(source, table, target)
    if not isinstance(x[0], str):
        x = [np.asarray(one) for one in x]
    # Hub data sets keep names of classes beside their codes.
    names = getattr(table.features.get(target), "names", None)
    return Given(x, [names[code] for code in y] if names else list(y))
