"""L7. Options that commands share."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from pastforward.config import Budget
from pastforward.files import json_text


@dataclass(frozen=True, kw_only=True)
class OpeningOptions:
    """Of commands that open runs."""

    allow: tuple[str, ...] = ()
    """Code of your own that the run names and that may be imported, as module:Name."""
    source: str | None = None
    """Where the run's data lies now; where it was when not given."""
    allow_new_data: bool = False
    """The data may have another content now; it is read by the codec and scaler of then."""

    @property
    def how(self) -> tuple[tuple[str, ...], str | None, bool]:
        """The last arguments of functions that open runs."""
        return self.allow, self.source, self.allow_new_data


@dataclass(frozen=True)
class RunOptions(OpeningOptions):
    """Of commands that open one."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Name of a run below runs/, or its path."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Of commands that train."""

    name: str | None = None
    """Name of the folder below runs/; made from the recipe when not given."""
    seconds: float | None = None
    """Train for so long; compilation and evaluation do not count."""
    steps: int | None = None
    """Train for so many optimiser steps."""
    tokens: int | None = None
    """Train until so many sequence positions were read."""
    resume: bool = False
    """Go on with what was stopped."""
    overwrite: bool = False
    """Replace what is there under the same name."""

    @property
    def budget(self) -> Budget | None:
        """The budget asked for; None for the recipe's."""
        given = self.steps, self.tokens, self.seconds
        return None if given == (None, None, None) else Budget(*given)


def resume_command(command: str, argv: Sequence[str]) -> str:
    """The command line that goes on with what `command` began."""
    kept = [word for word in argv if word not in ("--resume", "--overwrite")]
    return shlex.join(["pastforward", command, *kept, "--resume"])


def print_json(content: Any, last: str) -> None:
    """JSON on stdout for programs, the last line on stderr."""
    print(json_text(content, indent=1))
    print(last, file=sys.stderr)
