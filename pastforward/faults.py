"""L0. From an exception to one line that people can act on, and an exit code. Imports no torch."""

import os
import sys
import tempfile
import traceback
from typing import NamedTuple

from pastforward.errors import NonFiniteLoss, Stopped, UsageError

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
