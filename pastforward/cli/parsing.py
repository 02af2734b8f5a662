"""L7. Options from words. What tyro says of bad ones in a box is said in one line instead."""

import io
import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from typing import Any, TypeVar

import tyro

from pastforward.errors import UsageError

Kind = TypeVar("Kind")

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FIELD = re.compile(r"^Error parsing (?!--)[\w.-]+: ")
"""Before the message of a config's own check, which names its option."""
_NOT_SHOWN = ("For full helptext", "Argument helptext")
"""How sections of a box begin that would only repeat the help."""
_FLAGS = (tyro.conf.FlagCreatePairsOff,)


def parse(kind: type[Kind], argv: Sequence[str], command: str, description: str) -> Kind:
    """Options as `kind`; raises `UsageError` for bad ones, SystemExit after `--help`."""
    prog = f"pastforward {command}"
    return _in_one_line(
        prog, lambda: tyro.cli(kind, args=argv, prog=prog, description=description, config=_FLAGS)
    )


def peek(kind: type[Kind], argv: Sequence[str], command: str) -> Kind:
    """The options of `kind` among others, which are left alone."""
    found, _ = _in_one_line(
        f"pastforward {command}",
        lambda: tyro.cli(kind, args=argv, config=_FLAGS, return_unknown_args=True, add_help=False),
    )
    return found


def leading_words(argv: Sequence[str]) -> list[str]:
    """The words before the first option."""
    first = next((place for place, word in enumerate(argv) if word.startswith("-")), len(argv))
    return list(argv[:first])


def asks_help(argv: Sequence[str]) -> bool:
    """Is help all that is wanted?"""
    return "--help" in argv or "-h" in argv


def _in_one_line(prog: str, work: Callable[[], Any]) -> Any:
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return work()
    except SystemExit as end:
        if end.code in (0, None):
            raise
        raise UsageError(f"{_unboxed(said.getvalue())}; see {prog} --help.") from None


def _unboxed(box: str) -> str:
    """The sections of a box, as far as their first empty line, without frame and title."""
    first, *others = _COLOURS.sub("", box).strip().splitlines()
    lines = [line.strip("│ ") for line in others or [first]]  # the first one is the title
    sections: list[list[str]] = [[]]
    for line in lines:
        if line and not line.strip("─-╰╯"):
            sections.append([])
        else:
            sections[-1].append(line)
    texts = [" ".join("\n".join(s).strip().split("\n\n")[0].split()) for s in sections]
    shown = [_FIELD.sub("", t).rstrip(". ") for t in texts if t and not t.startswith(_NOT_SHOWN)]
    return "; ".join(shown)
