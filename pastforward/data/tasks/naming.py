"""L1. Names of tasks: `key_values:128,pairs=8` is a kind of task, T, and further axes."""

from pastforward.data.tasks.base import Task, axes
from pastforward.data.tasks.copy import Copy, ReversedCopy
from pastforward.data.tasks.key_values import KeyValues
from pastforward.data.tasks.modular import Modular
from pastforward.data.tasks.parity import Parity
from pastforward.data.tasks.recency import Primacy, Recency
from pastforward.data.tasks.retrieval import Retrieval
from pastforward.data.tasks.s5 import S5
from pastforward.data.tasks.stack import Stack
from pastforward.errors import UsageError, nearest

TASKS: dict[str, type[Task]] = {
    task.family: task
    for task in (
        Copy, ReversedCopy, Retrieval, KeyValues, Stack, Modular, Parity, S5, Recency, Primacy,
    )
}  # fmt: skip
"""Every kind of task, by the name of its family."""

_DIGITS = 9
"""A number of more can't be meant, and Python would refuse to read one of thousands."""


def build_task(family: str, length: int | None, given: list[str]) -> Task:
    """The task of a family in `TASKS` at T = `length`, or its usual one, with axes 'name=value'.

    Raises UsageError for a name or number that it can't have.
    """
    kind = TASKS[family]
    values = {} if length is None else {"length": length}
    known = {one.name: one.default for one in axes(kind)}
    for word in given:
        name, _, value = (part.strip() for part in word.partition("="))
        if name not in known:
            raise UsageError(f"The {family} task has no axis '{name}'; {nearest(name, known)}.")
        if name in values:
            raise UsageError(f"The {family} task was given '{name}' twice; give it once.")
        number = whole(value)
        if number is None:
            raise UsageError(
                f"The {family} task was given {name} '{value[:40]}'; give a whole number, as in "
                f"'{name}={known[name]}'."
            )
        values[name] = number
    return kind(**values)


def whole(text: str) -> int | None:
    """The number from 0 up that `text` says in digits, or None."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None
