"""L0. Errors that people can cause, checks of ranges that raise them, and what any error means.

Imports no torch."""

import difflib
import math
import os
import sys
import tempfile
import traceback
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple


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


_NO_MEMORY = ("DefaultCPUAllocator", "out of memory", "ALLOC_FAILED")
"""In messages of torch's errors where an allocation failed: many of them are plain RuntimeErrors.
"""


class Meaning(NamedTuple):
    """What an exception means to whoever started the program."""

    code: int
    line: str


def meaning(error: BaseException) -> Meaning:
    """The exit code and the line; an unexpected error is written to a log, which the line names."""
    text = " ".join(str(error).split())
    if isinstance(error, Stopped):
        return Meaning(error.code, text)
    if isinstance(error, NonFiniteLoss):
        return Meaning(1, text)
    if isinstance(error, UsageError):
        return Meaning(2, text)
    if isinstance(error, MemoryError) or _lacks_memory(error, text):
        return Meaning(
            2,
            f"There is not enough memory ({text[:200] or type(error).__name__}); lower --fit.batch "
            "or --student.width, or raise --fit.accumulate, which reads a batch in so many parts; "
            "of eval, doctor and analyse lower --sequences.",
        )
    if isinstance(error, OSError):
        where = "A file or device" if error.filename is None else f"'{error.filename}'"
        return Meaning(
            2,
            f"{where} can't be read or written ({error.strerror or text}); check the path, its "
            "permissions and the space that is left.",
        )
    what = f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
    return Meaning(
        3, f"This is a fault of pastforward ({what}); please report it with {_log(error)}."
    )


def is_first_rank() -> bool:
    """Is this the process that speaks, the only one or the first of those under torchrun?"""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"


def _lacks_memory(error: BaseException, text: str) -> bool:
    return isinstance(error, RuntimeError) and any(part in text for part in _NO_MEMORY)


def _log(error: BaseException) -> str:
    """The path of a file with command line, versions and traceback; the traceback where it can't
    be written."""
    lines = [" ".join(sys.argv), sys.version, *traceback.format_exception(error)]
    try:
        handle, path = tempfile.mkstemp(".log", "pastforward-", text=True)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(lines))
    except OSError:
        return "this: " + " ".join(" ".join(lines).split())
    return path
