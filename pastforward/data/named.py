"""L1. Data by name: scikit-learn's digits, Python's documentation, and the Hugging Face hub."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pastforward.data import EMBEDDED, DataConfig, HubConfig
from pastforward.data.cache import kept
from pastforward.data.codec import Codec, PixelCodec, TextCodec
from pastforward.data.corpus import Corpus, PartWriter, kept_parts
from pastforward.data.files import optional_package
from pastforward.data.images import PixelSource
from pastforward.data.opening import parse_name
from pastforward.data.sampling import contiguous, fit_length, shuffled
from pastforward.data.source import Source, require_length
from pastforward.data.text import is_apart, source_of
from pastforward.data.text_sources import About, TextSource
from pastforward.errors import UsageError, nearest
from pastforward.registry import NoConfig
from pastforward.watching import watched


def open_embedded(config: DataConfig, options: NoConfig, codec: Codec | None = None) -> Source:
    """The data set of `EMBEDDED` that `config` names; `UsageError` for a length it can't have."""
    name, length, axes = parse_name(config)
    if axes:
        raise UsageError(
            f"'{config.source}' was given, but only tasks have axes after a comma; give '{name}'."
        )
    return require_length(EMBEDDED.load(name)(length), length)


def digits(length: int | None = None) -> PixelSource:
    """1797 handwritten digits, 8 x 8 with 17 levels: T = 64; 1297 train, 200 valid, 300 test."""
    # scikit-learn takes a second to import.
    from sklearn.datasets import load_digits

    images = np.asarray(load_digits(return_X_y=True)[0], dtype=np.uint8)
    origin = "scikit-learn's load_digits, levels 0..16 as they are"
    return PixelSource("digits", shuffled(images, 1297, 200), PixelCodec(8, 8, 17), origin)


def pydoc(length: int | None = None) -> TextSource:
    """The help topics of this Python in alphabetical order, as bytes; T = `length` or 128."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics)).encode("utf-8")
    splits = contiguous(np.frombuffer(text, dtype=np.uint8))
    origin = f"pydoc_data.topics of Python {sys.version_info.major}.{sys.version_info.minor}"
    about = About("pydoc", origin, tuple(map(len, splits)))
    length = fit_length("The text 'pydoc'", splits, length, "bytes")
    return TextSource(about, splits, TextCodec(), length)


_SPLITS = ("train", "validation", "test")


def open_hub(config: DataConfig, options: HubConfig, codec: Codec | None = None) -> Source:
    """The texts of one column of the data set hf:NAME, read row by row into the cache.

    Raises `UsageError` when `datasets` is not installed, or the data set or column is not there.
    """
    apart = is_apart(options, codec)
    key = {"source": config.source, "column": options.column, "rows": options.rows, "apart": apart}
    found = kept("hub", key, lambda folder: _fetched(config.source, options, apart, folder))
    corpus = Corpus(config.source, kept_parts(found.folder, found.facts["parts"]))
    return source_of(corpus, options, config.length, codec)


def _fetched(source: str, options: HubConfig, apart: bool, folder: Path) -> dict[str, Any]:
    splits = load_hub(source, streaming=True)
    return {
        "parts": [
            _written(source, split, options, apart, PartWriter(folder / str(place)))
            for place, split in enumerate(splits.values())
        ]
    }


def _written(
    source: str, split: Any, options: HubConfig, apart: bool, writer: PartWriter
) -> dict[str, Any]:
    """Rows as documents, or joined by new lines."""
    bounds, begin = [], 0
    rows = islice(_rows(source, split), options.rows)
    with writer:
        for row in watched(rows, f"reading rows of {source}", options.rows):
            text = _text_of(source, row, options.column)
            if bounds and not apart:
                writer.write(b"\n")
                begin += 1
            writer.write(text)
            bounds.append((begin, begin + len(text)))
            begin += len(text)
        if not begin:
            raise UsageError(f"'{source}' holds no text; name a data set that does.")
        return writer.close([one for one in bounds if one[1] > one[0]] if apart else None)


def _text_of(source: str, row: Any, column: str) -> bytes:
    if column not in row:
        raise UsageError(f"'{source}' has no column '{column}'; {nearest(column, row)}.")
    if not isinstance(row[column], str):
        raise UsageError(f"Column '{column}' of '{source}' holds no text; name one that does.")
    return row[column].encode("utf-8", errors="replace")


def load_hub(source: str, streaming: bool = False) -> dict[str, Any]:
    """Splits of hf:NAME or hf:NAME:CONFIG, in memory or as they come: train, validation and test.

    Where it has none of these, its first split as 'train'.
    """
    _, *names = source.split(":")
    if not names or not all(names):
        raise UsageError(
            f"'{source}' names no data set of the hub; give hf:NAME or hf:NAME:CONFIG."
        )
    datasets = optional_package("datasets", "huggingface", source)
    try:
        splits = datasets.load_dataset(*names, **({"streaming": True} if streaming else {}))
    except Exception as error:  # of `datasets`, its file systems, and what parses and unpacks
        raise _unreachable(source, error) from error
    return {s: splits[s] for s in _SPLITS if s in splits} or {"train": next(iter(splits.values()))}


def _unreachable(source: str, error: Exception) -> UsageError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UsageError(
        f"'{source}' could not be loaded ({reason[:600]}); check the name and the network, and "
        "where there are several configurations, give hf:NAME:CONFIG."
    )


def _rows(source: str, split: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from split
    except Exception as error:  # as above: rows come over the network
        raise _unreachable(source, error) from error


def column_of(source: str, split: Any, column: str) -> Any:
    """A column of a split; raises `UsageError` where it has none of that name."""
    if column not in split.column_names:
        raise UsageError(
            f"'{source}' has no column '{column}'; {nearest(column, split.column_names)}."
        )
    return split[column]
