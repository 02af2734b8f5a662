"""L0. Tables of data: the kinds that `open_data` knows, the embedded data sets, and their dials.

Imports no torch. Data in memory needs no table: `text_source`, `image_source`, `SeriesSource`,
`labelled`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pastforward.data.files import holds_images, holds_labels, holds_table
from pastforward.data.tasks import TASKS
from pastforward.errors import UsageError, at_least, nearest, one_of
from pastforward.registry import Entry, NoConfig, Registry

UNITS = "auto", "bytes", "chars", "bpe:4096", "FILE.json"
BPE = "bpe:"
"""How the unit begins that is trained on the text itself."""
_FEWEST = 257
CYCLES = "hour", "weekday", "yearday", "month"
"""What dates are read as."""


@dataclass(frozen=True)
class TextDials:
    """Abstract: what texts of all kinds have."""

    unit: str = "auto"
    """'bytes', 'chars', 'bpe:4096' (byte pair encoding with so many symbols, trained on the
    training part) or the path of a tokenizer.json; 'auto' takes characters when there are at most
    128 of them."""
    document_end: str | None = None
    """Text that ends a document, as '<|endoftext|>'; \\n is a new line. Nothing is remembered or
    predicted across it. '' where files of a folder or rows of the hub are documents, as they always
    are where symbols are tokens. One long text when not given."""
    special: tuple[str, ...] = ()
    """Texts that are one symbol each, for bpe:SIZE."""
    tokenise: str = "auto"
    """'once' keeps the tokens of the whole text on disk; 'as-read' makes those that a batch needs,
    without a pass over the text. 'auto' takes 'once' up to 128 MiB."""

    def __post_init__(self) -> None:
        one_of(self, "data", "tokenise", ("auto", "once", "as-read"))
        if self.unit.startswith("bpe"):
            count = self.unit.removeprefix(BPE)
            if not (count.isdecimal() and _FEWEST <= int(count[:9]) <= 1_000_000):
                raise UsageError(
                    f"--data.unit is '{self.unit}'; give bpe: and the number of symbols, "
                    f"{_FEWEST} or more, as in bpe:4096."
                )
        elif not self.unit.endswith(".json"):
            one_of(self, "data", "unit", UNITS)
        if self.special and not self.unit.startswith(BPE):
            raise UsageError(
                f"--data.special is {self.special} and --data.unit '{self.unit}'; special symbols "
                "are for bpe:SIZE alone: a tokenizer.json has its own."
            )


@dataclass(frozen=True)
class TextConfig(TextDials):
    """Text in a file or folder."""


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
    header: str = "auto"
    """'yes' or 'no': does the first row name the columns? 'auto' finds out (docs/data.md)."""
    time: str = "auto"
    """Column of dates; 'auto' takes the first one of words that are all dates, 'none' none."""
    series: str = ""
    """Column that names the series of a row, where the table holds several."""
    known: tuple[str, ...] = ()
    """Columns that are known ahead, such as prices or holidays: read, not predicted."""
    static: tuple[str, ...] = ()
    """Columns that tell series apart, numbers or words: read, not predicted."""
    calendar: tuple[str, ...] = ("auto",)
    """Cycles of dates that are read: hour, weekday, yearday, month; 'none' or what suits."""
    seasons: tuple[int, ...] = ()
    """Rows after which a pattern comes again, as in 24 168; by the dates when not given."""
    missing: str = "last"
    """How missing values are filled in: by the 'last' one before, that of a 'season' before or the
    'mean'; 'refuse' them. Filled ones count in no loss."""
    relative: str = "auto"
    """What is predicted is relative to 'none', the 'last' value or that so many rows before; the
    best of them on validation rows when 'auto'."""
    head: str = "gaussian"
    """Distribution of what comes next: 'gaussian' or 'student-t'."""
    quantiles: tuple[float, ...] = ()
    """Levels in (0, 1) in place of a distribution, as in 0.1 0.5 0.9."""

    def __post_init__(self) -> None:
        one_of(self, "data", "header", ("auto", "yes", "no"))
        one_of(self, "data", "missing", ("last", "season", "mean", "refuse"))
        one_of(self, "data", "head", ("gaussian", "student-t"))
        if not self.relative.isdecimal():
            one_of(self, "data", "relative", ("auto", "none", "last"))
        if any(season < 2 for season in self.seasons):
            raise UsageError(f"--data.seasons is {self.seasons}; give numbers of rows from 2 up.")
        for name in self.calendar if self.calendar not in (("auto",), ("none",)) else ():
            if name not in CYCLES:
                raise UsageError(f"--data.calendar is '{name}'; {nearest(name, CYCLES)}.")
        _require_levels(self.quantiles)


@dataclass(frozen=True)
class HubConfig(TextDials):
    """Text of a data set on the Hugging Face hub."""

    column: str = "text"
    """Column that holds the text."""
    rows: int | None = None
    """At most so many rows of each split; all when not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, "data", 1, "rows")


@dataclass(frozen=True)
class LabelledConfig:
    """Labelled sequences."""

    target: tuple[str, ...] = ()
    """Columns or array of targets: of a table or a hub's data set by name; 'y' of a .npz file."""
    columns: tuple[str, ...] = ()
    """Columns to read as channels; of a table all that are left when not given."""
    series: str = "series"
    """Column of a table that says which sequence a row belongs to."""
    time: str = ""
    """Column of a table by which rows are ordered; as they stand when not given."""
    split: str = "split"
    """Column of a table that says train, valid or test of each sequence, where it has one."""
    at: str = "auto"
    """Where targets stand: at the 'end' of a sequence or at all 'steps'. 'auto' takes y [N, K] with
    K = T for one a step (of flags for K at the end), and in a table what changes."""
    flags: bool = False
    """Targets are several labels at once, 0 or 1, as in y [N, C]."""
    quantiles: tuple[float, ...] = ()
    """Levels in (0, 1): numbers are then predicted by their quantiles, as in 0.1 0.5 0.9."""
    class_weight: str = "none"
    """'balanced' weighs classes in training losses by how rare they are."""
    missing: str = "refuse"
    """What becomes of NaN in x: an error, or with 'mean' the mean of its channel."""
    levels: int | None = None
    """Grey levels that images are quantised to, as symbols; numbers when not given."""
    pool: int = 1
    """Factor by which images (in each direction) or sounds (in time) are averaged down."""
    permute: int | None = None
    """Seed of one fixed order in which the pixels of all images are read; row by row when not
    given."""

    def __post_init__(self) -> None:
        at_least(self, "data", 1, "pool")
        at_least(self, "data", 0, "permute")
        one_of(self, "data", "class_weight", ("none", "balanced"))
        one_of(self, "data", "missing", ("refuse", "mean"))
        one_of(self, "data", "at", ("auto", "end", "steps"))
        if self.levels is not None and not 2 <= self.levels <= 256:
            raise UsageError(f"--data.levels asks for {self.levels} grey levels; give 2 to 256.")
        _require_levels(self.quantiles)


def _require_levels(levels: tuple[float, ...]) -> None:
    rising = sorted(set(levels))
    if list(levels) != rising or any(not 0 < level < 1 for level in rising):
        raise UsageError(f"--data.quantiles is {levels}; give rising levels between 0 and 1.")


LABELLED = "labelled"
"""The kind of data that is read as sequences with labels."""
_TASKS = "classify", "regress"


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
    task: str | None = None
    """'classify' or 'regress': read sequences with their labels, classes or numbers. Files
    that only ever hold these (.ts, .npz with x and y) need no task."""

    def __post_init__(self) -> None:
        at_least(self, "data", 1, "length")
        if self.task is not None:
            one_of(self, "data", "task", _TASKS)


@dataclass(frozen=True)
class SourceEntry(Entry):
    """A kind of data. `target` is a function `(DataConfig, its own Config, codec) -> Source`.

    The codec is None, or that of a network trained before, by which files are read where it fits.
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
    "labelled": _kind("label_files.opening:open_labelled", LabelledConfig,
                      "sequences with classes or numbers: .ts, .npz with x and y; by "
                      "--data.task more; acsf1, plaid, japanese_vowels, mnist1d",
                      names=("acsf1", "plaid", "japanese_vowels", "mnist1d"), holds=holds_labels),
    "images": _kind("images:open_images", ImageConfig,
                    "an IDX, .npy or .npz file, or IDX files", holds=holds_images),
    "table": _kind("series_tables:open_csv", SeriesConfig,
                   "a .csv or .tsv table of numbers over time", holds=holds_table),
    "text": _kind("text:open_text", TextConfig, "any other file or folder", holds=Path.exists),
})  # fmt: skip
"""Kinds of data, in the order in which they are tried."""
