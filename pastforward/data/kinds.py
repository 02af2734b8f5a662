"""L1. The kind of a source, from its name or from what lies at its path. Imports no torch."""

import os
from pathlib import Path
from typing import NamedTuple

from pastforward.data import EMBEDDED, SOURCES, DataConfig
from pastforward.data.tasks import TASKS
from pastforward.errors import UsageError, nearest
from pastforward.registry import is_foreign

MEMORY = "memory:"
"""How the source of a run begins that was trained on a `Source` given in Python."""

_DIGITS = 9
"""No length or axis has more; and int() refuses numbers of thousands of digits."""


class Name(NamedTuple):
    """A name of data in its parts: 'copy:32,symbols=4' is 'copy', 32 and ['symbols=4']."""

    family: str
    length: int | None
    axes: list[str]


def known_names() -> tuple[str, ...]:
    """How names of data begin, before any colon or comma."""
    return tuple(name for row in SOURCES.values() for name in row.names)


def family(source: str) -> str:
    """What a name of data begins with: 'copy' of 'copy:32,symbols=4'."""
    return source.partition(",")[0].partition(":")[0]


def kind_of(source: str) -> str:
    """The name in `SOURCES` of a source's kind; a source of the user's own is its own kind.

    Raises `UsageError` when there is no such data, or it was only ever in memory.
    """
    if source.startswith(MEMORY):
        raise UsageError(
            f"The run was trained on data in memory, '{source.removeprefix(MEMORY)}', which no "
            "file holds; pass it as source=."
        )
    for kind, row in SOURCES.items():
        if family(source) in row.names:
            return kind
    if is_foreign(source) and not os.path.exists(source):
        return source
    path = _existing(source)
    return next(kind for kind, row in SOURCES.items() if row.holds and row.holds(path))


def parse_name(config: DataConfig) -> Name:
    """The parts of a name; its length is `config.length` where the name says none.

    Raises `UsageError` when the two differ, or the name's is no number.
    """
    head, *axes = config.source.split(",")
    name, _, suffix = head.partition(":")
    length = whole(suffix) if suffix else config.length
    if suffix and (length is None or config.length not in (None, length)):
        raise UsageError(
            f"Data '{config.source[:80]}' was given with length {config.length}; give one length, "
            "a number, as in 'copy:32'."
        )
    return Name(name, length, axes)


def whole(text: str) -> int | None:
    """The number from 0 up that `text` gives in digits, or None."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None


def _existing(given: str) -> Path:
    try:
        path = Path(given).expanduser()
        # An empty name would mean the current folder.
        if given and path.exists():
            return path
    except (OSError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error).rstrip(".")
        raise UsageError(
            f"'{given[:200]}' cannot be reached ({reason}); check the path and its permissions."
        ) from error
    known = [*EMBEDDED, *TASKS, "hf:NAME", "module:Name"]
    looks_like_path = "/" in given or path.suffix
    advice = "check the path" if looks_like_path else nearest(family(given), known)
    raise UsageError(f"There is no data '{given}', by path or by name; {advice}.")
