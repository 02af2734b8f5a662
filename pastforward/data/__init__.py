"""L1. Tables of data: the kinds that `open_data` knows, and the data sets that come embedded.

Imports no torch. Data in memory needs no table: `text_source`, `image_source`, `SeriesSource`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pastforward.data.configs import HubConfig, ImageConfig, SeriesConfig, TextConfig
from pastforward.data.files import holds_images, is_csv
from pastforward.data.tasks import TASKS
from pastforward.registry import Entry, NoConfig, Registry


@dataclass(frozen=True)
class SourceEntry(Entry):
    """A kind of data. `target` is a function `(DataConfig, its own Config) -> Source`.

    A source is recognised by the start of its name, or else by what lies at its path.
    """

    names: Collection[str] = ()
    """How names of this kind begin, before any colon or comma."""
    holds: Callable[[Path], bool] | None = None
    """Whether a file or folder is of this kind; the first row that accepts it is taken."""


_HERE = "pastforward.data"

EMBEDDED: Registry[Entry] = Registry("embedded data set", {
    "digits": Entry(f"{_HERE}.embedded:digits", summary="1797 handwritten digits, 8 x 8 pixels"),
    "pydoc": Entry(f"{_HERE}.embedded:pydoc", summary="the help topics of this Python, as bytes"),
})  # fmt: skip
"""Data sets that need no download."""

SOURCES: Registry[SourceEntry] = Registry("kind of data", {
    "embedded": SourceEntry(
        f"{_HERE}.embedded:open_embedded", NoConfig, "data without a download: digits, pydoc",
        names=EMBEDDED,
    ),
    "task": SourceEntry(
        f"{_HERE}.tasks.source:open_task", NoConfig, "synthetic tasks: copy:32, stack:64,depth=4",
        names=TASKS,
    ),
    "hub": SourceEntry(
        f"{_HERE}.huggingface:open_hub", HubConfig, "hf:NAME, text of the Hugging Face hub",
        names=("hf",),
    ),
    "images": SourceEntry(
        f"{_HERE}.images:open_images", ImageConfig, "an IDX, .npy or .npz file, or IDX files",
        holds=holds_images,
    ),
    "table": SourceEntry(
        f"{_HERE}.csv_files:open_csv", SeriesConfig, "a .csv file of numbers over time",
        holds=is_csv,
    ),
    "text": SourceEntry(
        f"{_HERE}.text_files:open_text", TextConfig, "any other file or folder", holds=Path.exists
    ),
})  # fmt: skip
"""Kinds of data, in the order in which they are tried."""
