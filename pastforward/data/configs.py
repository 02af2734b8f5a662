"""L0. Dials of data sources. Imports no torch."""

from dataclasses import dataclass
from typing import Any

from pastforward.errors import UsageError
from pastforward.ranges import at_least, one_of

UNITS = "auto", "bytes", "chars"


@dataclass(frozen=True)
class TextConfig:
    """Text in a file or folder."""

    unit: str = "auto"
    """'bytes' or 'chars'; 'auto' takes characters when there are at most 128 of them."""

    def __post_init__(self) -> None:
        one_of(self, "data", "unit", UNITS)


@dataclass(frozen=True)
class ImageConfig:
    """Images in .npy, .npz or IDX files."""

    levels: int = 16
    """Grey levels that images are quantised to, 2 to 256."""
    pool: int = 1
    """Factor by which images are averaged down in each direction."""

    def __post_init__(self) -> None:
        at_least(self, "data", 1, "pool")
        if not 2 <= self.levels <= 256:
            raise UsageError(f"--data.levels asks for {self.levels} grey levels; give 2 to 256.")


@dataclass(frozen=True)
class SeriesConfig:
    """A table of numbers over time."""

    columns: tuple[str, ...] = ()
    """Columns to read; all when not given."""


@dataclass(frozen=True)
class HubConfig:
    """Text of a data set on the Hugging Face hub."""

    unit: str = "auto"
    """As for text in files."""
    column: str = "text"
    """Column that holds the text."""

    def __post_init__(self) -> None:
        one_of(self, "data", "unit", UNITS)


@dataclass(frozen=True)
class DataConfig:
    """What is read."""

    source: str = "digits"
    """A name (digits, pydoc, copy:32, key_values:128,pairs=8, hf:NAME), a path to a file or folder,
    or a source of your own as module:Name."""
    length: int | None = None
    """T, steps in a sequence; chosen from the data when None."""
    options: Any = None
    """Dials of the kind of source that was found; its defaults when None."""

    def __post_init__(self) -> None:
        at_least(self, "data", 1, "length")
