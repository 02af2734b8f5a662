"""L0. Tables of data: the kinds that `open_data` knows, the embedded data sets, and their dials.

Imports no torch. Data in memory needs no table: `text_source`, `image_source`, `SeriesSource`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pastforward.data.files import holds_images, is_csv
from pastforward.data.tasks import TASKS
from pastforward.errors import UsageError, at_least, one_of
from pastforward.registry import Entry, NoConfig, Registry

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
class LabelledConfig:
    """Labelled sequences."""


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


@dataclass(frozen=True)
class SourceEntry(Entry):
    """A kind of data. `target` is a function `(DataConfig, its own Config) -> Source`.

    A source is recognised by the start of its name, or else by what lies at its path.
    """

    names: Collection[str] = ()
    """How names of this kind begin, before any colon or comma."""
    holds: Callable[[Path], bool] | None = None
    """Whether a file or folder is of this kind; the first row that accepts it is taken."""


EMBEDDED: Registry[Entry] = Registry("embedded data set", {
    "digits": Entry(
        "pastforward.data.named:digits", summary="1797 handwritten digits, 8 x 8 pixels"),
    "pydoc": Entry(
        "pastforward.data.named:pydoc", summary="the help topics of this Python, as bytes"),
})  # fmt: skip
"""Data sets that need no download."""


def _kind(target: str, *row: Any, **known_by: Any) -> SourceEntry:
    return SourceEntry(f"pastforward.data.{target}", *row, **known_by)


SOURCES: Registry[SourceEntry] = Registry("kind of data", {
    "embedded": _kind("named:open_embedded", NoConfig,
                      "data without a download: digits, pydoc", names=EMBEDDED),
    "task": _kind("tasks.source:open_task", NoConfig,
                  "synthetic tasks: copy:32, stack:64,depth=4", names=TASKS),
    "hub": _kind("named:open_hub", HubConfig,
                 "hf:NAME, text of the Hugging Face hub", names=("hf",)),
    "images": _kind("images:open_images", ImageConfig,
                    "an IDX, .npy or .npz file, or IDX files", holds=holds_images),
    "table": _kind("series:open_csv", SeriesConfig,
                   "a .csv file of numbers over time", holds=is_csv),
    "text": _kind("text:open_text", TextConfig, "any other file or folder", holds=Path.exists),
})  # fmt: skip
"""Kinds of data, in the order in which they are tried."""
