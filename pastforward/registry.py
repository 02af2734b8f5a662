"""L0. Tables of named components, and components of the user's own by `module:Name`.

A table maps a name to an `Entry`: where the component is, and the frozen dataclass of its dials.
Nothing is imported until it is asked for, so that tables can be listed without torch. A name of the
form `module:Name` is imported from the user's own code; only a name that the user gave is.
"""

import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, Generic, TypeVar

from pastforward.errors import UsageError, nearest
from pastforward.files import from_json

_FOREIGN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class NoConfig:
    """The dials of a component that has none."""


@dataclass(frozen=True)
class Entry:
    """A row of a table."""

    target: str
    """`module:Name`, imported when it is first loaded."""
    config: type = NoConfig
    """Frozen dataclass of the component's own dials."""
    summary: str = ""
    """One line for `pastforward list`."""


Row = TypeVar("Row", bound=Entry)


class Registry(Mapping[str, Row], Generic[Row]):
    """Components of one kind by name."""

    def __init__(self, kind: str, rows: Mapping[str, Row]) -> None:
        """`kind` is what messages call a component: 'cell', 'encoder'."""
        self.kind, self._rows = kind, dict(rows)

    def __getitem__(self, name: str) -> Row:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def require(self, name: str) -> None:
        """Raise `UsageError` for a name that is neither in the table nor module:Name."""
        if name not in self._rows and not is_foreign(name):
            raise UsageError(
                f"There is no {self.kind} '{name}'; {nearest(name, self)}, or give one of your own "
                "as module:Name."
            )

    def load(self, name: str) -> Any:
        """The component, imported; raises `UsageError` for an unknown name."""
        self.require(name)
        return import_target(self._rows[name].target if name in self._rows else name)

    def config_type(self, name: str) -> type:
        """The dataclass of a component's dials; for module:Name, its attribute `Config`."""
        self.require(name)
        if name in self._rows:
            return self._rows[name].config
        found = getattr(import_target(name), "Config", NoConfig)
        if not (isinstance(found, type) and is_dataclass(found)):
            raise UsageError(
                f"{name}.Config is {found!r}; make it a frozen dataclass with a default for every "
                "field."
            )
        return found

    def config(self, name: str, given: Any = None) -> Any:
        """`given` (an instance, or its JSON), or the component's dials at their defaults.

        Raises `UsageError` for dials of another component.
        """
        kind = self.config_type(name)
        if given is None:
            return kind()
        if isinstance(given, Mapping):
            try:
                return from_json(kind, dict(given))
            except ValueError as error:
                raise UsageError(
                    f"The {self.kind} '{name}' can't be configured by {dict(given)} ({error}); its "
                    f"dials are those of {kind.__name__}."
                ) from error
        if not isinstance(given, kind):
            raise UsageError(
                f"The {self.kind} '{name}' was given {type(given).__name__}; give it "
                f"{kind.__name__}."
            )
        return given


def is_foreign(name: str) -> bool:
    """Is it of the form `module:Name`?"""
    return _FOREIGN.fullmatch(name) is not None


def import_target(name: str) -> Any:
    """What `module:Name` names, modules of the current folder included.

    Raises `UsageError` where the module can't be imported or has no such name.
    """
    module, _, attribute = name.partition(":")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does; a console script does not
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"'{name}' can't be imported ({error}); give module:Name with a module that lies in "
            "this folder or is installed."
        ) from error
    if not hasattr(found, attribute):
        raise UsageError(f"The module '{module}' has no '{attribute}'; check its name.")
    return getattr(found, attribute)
