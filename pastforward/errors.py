"""L0. Errors that people can cause, and the nearest known name. Imports no torch."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Bad input: one sentence that says what was given, what was expected and what to do."""


def nearest(given: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest of the known names, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(given, known, 1, 0.4)
    return f"did you mean '{close[0]}'" if close else f"choose one of {', '.join(known)}"


class Stopped(Exception):
    """The user or the system stopped a run, and all of it is saved."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
