"""L7. Options from words. What tyro says of bad ones in a box is said in one line instead."""

import io
import re
from collections.abc import Sequence
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


def parse(kind: type[Kind], argv: Sequence[str], command: str, description: str) -> Kind:
    """Options as `kind`; raises `UsageError` for bad ones, SystemExit after `--help`."""
    return _cli(kind, argv, command, description=description)


def peek(kind: type[Kind], argv: Sequence[str], command: str) -> Kind:
    """The options of `kind` among others, which are left alone."""
    return _cli(kind, argv, command, return_unknown_args=True, add_help=False)[0]


def leading_words(argv: Sequence[str]) -> list[str]:
    """The words before the first option."""
    first = next((place for place, word in enumerate(argv) if word.startswith("-")), len(argv))
    return list(argv[:first])


def asks_help(argv: Sequence[str]) -> bool:
    """Is help all that is wanted?"""
    return "--help" in argv or "-h" in argv


def _cli(kind: Any, argv: Sequence[str], command: str, **given: Any) -> Any:
    prog, said = f"pastforward {command}", io.StringIO()
    flags = (tyro.conf.FlagCreatePairsOff,)
    try:
        with redirect_stderr(said):
            return tyro.cli(kind, args=argv, prog=prog, config=flags, **given)
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
