"""L0. Ranges of dials, checked where the dial stands: each names the option that sets it."""

import math
from collections.abc import Collection
from typing import Any

from pastforward.errors import UsageError, nearest


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
