"""L1. Tables of data: the kinds that `open_data` knows, and the data sets that come embedded.

Imports no torch. Data in memory needs no table: `text_source`, `image_source`, `SeriesSource`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pastforward.data.configs import HubConfig, ImageConfig, SeriesConfig, TextConfig
from pastforward.data.files import holds_images, is_csv
from pastforward.data.tasks import TASKS
from pastforward.registry import Entry, Registry


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
        "pastforward.data.embedded:digits",
        summary="1797 handwritten digits of scikit-learn, 8 x 8 pixels",
    ),
    "pydoc": Entry(
        "pastforward.data.embedded:pydoc", summary="the help topics of this Python, as bytes"
    ),
})  # fmt: skip
"""Data sets that need no download."""

SOURCES: Registry[SourceEntry] = Registry("kind of data", {
    "embedded": SourceEntry(
        "pastforward.data.embedded:open_embedded",
        summary="real data that needs no download: digits, pydoc",
        names=EMBEDDED,
    ),
    "task": SourceEntry(
        "pastforward.data.tasks.source:open_task",
        summary="synthetic tasks, as copy:32 or key_values:128,pairs=8",
        names=TASKS,
    ),
    "hub": SourceEntry(
        "pastforward.data.huggingface:open_hub",
        HubConfig,
        "text of a data set on the Hugging Face hub, as hf:NAME",
        names=("hf",),
    ),
    "images": SourceEntry(
        "pastforward.data.images:open_images",
        ImageConfig,
        "images: an IDX, .npy or .npz file, or a folder of IDX files",
        holds=holds_images,
    ),
    "table": SourceEntry(
        "pastforward.data.csv_files:open_csv",
        SeriesConfig,
        "numbers over time: a .csv file",
        holds=is_csv,
    ),
    "text": SourceEntry(
        "pastforward.data.text_files:open_text",
        TextConfig,
        "text: any other file or folder",
        holds=Path.exists,
    ),
})  # fmt: skip
"""Kinds of data, in the order in which they are tried."""
