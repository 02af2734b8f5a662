"""L5. Names of tasks: with a length of one's own choice, and as the name of a folder."""

import re
from pathlib import Path


def at_length(task: str, length: int) -> str:
    """A synthetic task's name with T = `length`; what comes after a comma stays.

    ('copy', 64) -> 'copy:64' and ('key_values,pairs=8', 64) -> 'key_values:64,pairs=8'. Raises
    `UsageError` for a name that has a length already, and for data whose length isn't free.
    """
    from pastforward.data.tasks import TASKS
    from pastforward.errors import UsageError

    name, _, axes = re.sub("[:,]", "|", task, count=1).partition("|")
    if name not in TASKS:
        raise UsageError(
            f"--lengths was given for '{task}', whose length isn't free; it is for "
            f"{', '.join(TASKS)}, so compare '{task}' without it."
        )
    if axes[:1].isdecimal():
        raise UsageError(f"--lengths was given for '{task}', which has a length; write '{name}'.")
    return f"{name}:{length},{axes}" if axes else f"{name}:{length}"


def without_length(source: str) -> str:
    """What tasks that differ in T alone have in common: 'key_values:64,pairs=8' without ':64'."""
    return re.sub(r":\d+", "", source, count=1)


def stem(recipe: str) -> str:
    """A folder's name from a recipe, a data name or a path."""
    named = re.fullmatch(r"\w+[:,][^/]*", recipe)
    name = recipe if named else Path(recipe).name.split(".")[0]
    return re.sub(r"[:=]", "", name).replace(",", "-") or "data"
