"""L1. Names of tasks: `key_values:128,pairs=8` is a family, T, and further axes."""

from pastforward.data.kinds import whole
from pastforward.data.tasks import TASKS
from pastforward.data.tasks.base import Task, axes
from pastforward.errors import UsageError, nearest


def build_task(family: str, length: int | None, given: list[str]) -> Task:
    """The task of a family in `TASKS` at T = `length`, or its default, with axes 'name=value'.

    Raises `UsageError` for an unknown axis or a value that it can't have.
    """
    kind: type[Task] = TASKS.load(family)
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
