"""L0. Readers of labelled sequences, by the format of what lies at a path or has a name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pastforward.data.files import holds_table, idx_images, is_arrays, suffix
from pastforward.errors import UsageError, nearest
from pastforward.registry import Entry, Registry

ALWAYS = "at", "flags", "quantiles", "class_weight", "missing"
"""Options that suit every format."""

PARTS = {"train": ("train",), "valid": ("valid", "val", "validation"), "test": ("test",)}
"""How folders and columns name splits."""


@dataclass(frozen=True)
class Format(Entry):
    """A format. `target` is a function `(source, LabelledConfig) -> Reading`."""

    options: tuple[str, ...] = ()
    """Fields of `LabelledConfig` that it has a use for, besides those of `ALWAYS`."""
    names: tuple[str, ...] = ()
    """How names of data in this format begin."""
    holds: Callable[[Path], bool] = lambda path: False
    """Whether a file or folder has this format; the first row that accepts it is taken."""


_IMAGES = "levels", "pool", "permute"


def _is_arrays(path: Path) -> bool:
    return is_arrays(path) if path.is_file() else _has(path.glob("*"), ".npy")


def _is_ts(path: Path) -> bool:
    return suffix(path) == ".ts" or _has(path.glob("*"), ".ts")


def _is_table(path: Path) -> bool:
    return holds_table(path) or suffix(path) in (".parquet", ".pq")


def _is_idx(path: Path) -> bool:
    return path.is_dir() and bool(idx_images(path))


def _is_sounds(path: Path) -> bool:
    return path.is_dir() and _has(path.glob("**/*"), ".wav")


def _has(files: Iterable[Path], wanted: str) -> bool:
    return any(suffix(file) == wanted for file in files)


def _row(target: str, summary: str, *options: str, **known_by: object) -> Format:
    target = f"pastforward.data.label_files.{target}"
    return Format(target, summary=summary, options=options, **known_by)  # pyright: ignore


FORMATS: Registry[Format] = Registry("format of labelled data", {
    "digits": _row("images:read_digits", "digits", *_IMAGES, names=("digits",)),
    "archive": _row("packaged:read_archive", "acsf1, plaid, japanese_vowels",
                    names=("acsf1", "plaid", "japanese_vowels")),
    "mnist1d": _row("packaged:read_mnist1d", "mnist1d", names=("mnist1d",)),
    "hub": _row("hub:read_hub", "hf:NAME", "target", "columns", names=("hf",)),
    "arrays": _row("arrays:read_arrays", ".npz, or .npy files side by side", "target", *_IMAGES,
                   holds=_is_arrays),
    "ts": _row("ts:read_ts", ".ts, or a folder with it", holds=_is_ts),
    "table": _row("table:read_table", ".csv, .parquet", "target", "columns", "series", "time",
                  "split", holds=_is_table),
    "idx": _row("images:read_idx_folder", "a folder of IDX images and labels", *_IMAGES,
                holds=_is_idx),
    "sounds": _row("sounds:read_sounds", "a folder of .wav files in a folder for each class",
                   "pool", holds=_is_sounds),
})  # fmt: skip
"""Formats, in the order in which they are tried."""


def require_columns(name: str, wanted: tuple[str, ...], known: list[str]) -> None:
    """Raise `UsageError` for a column or array that is not there, with the nearest name."""
    for column in wanted:
        if column not in known:
            there = ", ".join(known[:12])
            raise UsageError(
                f"'{name}' has no column '{column}' among {there}; {nearest(column, known)}."
            )
