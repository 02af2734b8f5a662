"""L0. Errors that people can cause, and checks of ranges that raise them. Imports no torch."""

import difflib
import math
from collections.abc import Collection, Iterable
from typing import Any


class UsageError(ValueError):
    """Bad input: one sentence that says what was given, what was expected and what to do."""


def nearest(given: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest of the known names, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(given, known, 1, 0.4)
    return f"did you mean '{close[0]}'" if close else f"choose one of {', '.join(known)}"


class NonFiniteLoss(RuntimeError):
    """A loss or gradient became infinite or NaN; weights are those before the step."""


class Stopped(Exception):
    """The user or the system stopped a run, and all of it is saved."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def option(section: str, name: str) -> str:
    """The command-line option of a field: ('teacher', 'key_dim') is '--teacher.key-dim'."""
    return f"--{section}.{name.replace('_', '-')}" if section else f"--{name.replace('_', '-')}"


def at_least(config: Any, section: str, least: float, *names: str) -> None:
    """Raise `UsageError` for the first field that is given and not a finite number >= `least`."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not least <= value < math.inf:
            raise UsageError(
                f"{option(section, name)} is {value}; give a finite number, {least:g} or more."
            )


def above_zero(config: Any, section: str, *names: str) -> None:
    """Raise `UsageError` for the first field that is given and not a finite number above 0."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{option(section, name)} is {value}; give a finite number above 0.")


def one_of(config: Any, section: str, name: str, known: Collection[str]) -> None:
    """Raise `UsageError` for a field whose value is not among `known`."""
    value = getattr(config, name)
    if value not in known:
        raise UsageError(f"{option(section, name)} is '{value}'; {nearest(str(value), known)}.")
