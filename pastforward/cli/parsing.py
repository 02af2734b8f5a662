"""L6. Options from words: what `tyro` says of bad ones in a box, said in one line instead."""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any, TypeVar

import tyro

Kind = TypeVar("Kind")

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_NOT_SHOWN = ("For full helptext", "Argument helptext")
"""How sections of a box begin that would only repeat the help."""


def parse(
    kind: type[Kind], argv: Sequence[str], prog: str, description: str, default: Kind | None = None
) -> Kind:
    """Options as `kind`; raises `UsageError` for bad ones, SystemExit after `--help`."""
    given: dict[str, Any] = {} if default is None else {"default": default}
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                kind, args=argv, prog=prog, description=description,
                config=(tyro.conf.FlagCreatePairsOff,), **given,
            )  # fmt: skip
    except SystemExit as end:
        if end.code in (0, None):
            raise
        from pastforward.errors import UsageError

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
    return "; ".join(t.rstrip(". ") for t in texts if t and not t.startswith(_NOT_SHOWN))
