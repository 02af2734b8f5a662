"""L1. What a source of data is: batches that are pure functions of (source, seed, index)."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pastforward.data.codec import Codec, codec_to_json
from pastforward.errors import UsageError, nearest
from pastforward.types import Batch, Signature

BEST_POSSIBLE = "best"
"""Name of the reference loss that no predictor can beat; the others read no input."""


class Splits(NamedTuple):
    """Three disjoint parts of finite data; the first axis counts examples, or is time."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Identity:
    """What data is. A run, its student and label stores keep it, and refuse other data."""

    codec: dict[str, Any]
    """As `codec_to_json` gives it; that of a series or of labels holds the scaler."""
    scale: str
    """How values become symbols, where the codec doesn't say it."""
    length: int
    """T."""
    sizes: dict[str, int | None]
    """Rows, symbols or sequences of each split; None where they are drawn as needed."""
    checksum: str
    """SHA-256 of `Source.content`, in hexadecimal digits."""


_SEQUENCES = 8


class Source(ABC):
    """Abstract: data to train on and held-out data."""

    scale = ""
    """How values become symbols, where the codec doesn't say it."""

    def __init__(self, name: str, signature: Signature, codec: Codec) -> None:
        self.name = name
        self.signature = signature
        self.codec = codec

    @abstractmethod
    def batch(self, seed: int, index: int, size: int) -> Batch:
        """Training batch `index` of `size` sequences: always the same for the same arguments."""

    def at_length(self, length: int) -> "Source":
        """The same task with sequences of T = `length`.

        Raises `UsageError` where the data's length isn't free.
        """
        raise UsageError(
            f"Sequences of {length} steps were asked for of '{self.name}', whose length is "
            f"{self.signature.length}; leave the length out, or give a prefix."
        )

    @abstractmethod
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """At most `limit` sequences of 'valid' or 'test', in fixed order, `size` at a time.

        The last batch may be smaller, or the last of each length. Raises `UsageError` for another
        split.
        """

    @abstractmethod
    def references(self) -> dict[str, float]:
        """Reference losses on the test split, in nats per counted output.

        They are those of predictors that read no input ('uniform', 'unigram', 'gaussian') and,
        where it is known, that of the best possible predictor from x_1..x_t (`BEST_POSSIBLE`).
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What this is, where it came from and how much there is, as a JSON object."""

    def content(self) -> Iterator[np.ndarray]:
        """All numbers that identify the data: of data that is drawn, some sequences of each split.

        A source that holds its data overrides this to give all of it.
        """
        drawn = self.batch(0, 0, _SEQUENCES)
        held = (self.held_out(split, _SEQUENCES, _SEQUENCES) for split in Splits._fields[1:])
        for batch in (drawn, *(batch for batches in held for batch in batches)):
            yield from (part.cpu().numpy() for part in batch)

    def known_checksum(self) -> str | None:
        """The checksum of the content, where it is known without reading it."""
        return None

    @cached_property
    def identity(self) -> Identity:
        """Codec, scale, length, sizes and checksum; all of the data is read for it, once."""
        about, checksum = self.describe(), self.known_checksum() or _checksum(self.content())
        sizes = next((about[k] for k in ("rows", "symbols", "sequences") if k in about), {})
        codec = json.loads(json.dumps(codec_to_json(self.codec)))  # as it comes from a file
        return Identity(codec, self.scale, self.signature.length, sizes, checksum)


def _checksum(content: Iterator[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in content:
        for part in portions_of(array):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def held_out_index(split: str) -> int:
    """The index of 'valid' (1) or 'test' (2) in `Splits`; `UsageError` for anything else."""
    held_out = Splits._fields[1:]
    if split not in held_out:
        raise UsageError(f"Split '{split}' was asked for; {nearest(split, held_out)}.")
    return Splits._fields.index(split)


def require_known(source: Source, known: Identity, where: str, allow_new: bool = False) -> None:
    """Raise `UsageError`, with what differs, where `where` was trained on other data.

    With `allow_new` the content may differ, but not the codec.
    """
    found = source.identity
    before, now = (i.codec | {"scale": i.scale, "T": i.length} for i in (known, found))
    if before != now:
        names = [name for name in before | now if before.get(name) != now.get(name)]
        pairs = (f"{n} {_short(now.get(n))}, not {_short(before.get(n))}" for n in names)
        raise UsageError(
            f"The data '{source.name}' is read otherwise than that of {where}: {'; '.join(pairs)}; "
            "put back the data that it was trained on."
        )
    if allow_new or (found.checksum, found.sizes) == (known.checksum, known.sizes):
        return
    sizes = f"it holds {_sized(found.sizes)}, not {_sized(known.sizes)}"
    raise UsageError(
        f"The data '{source.name}' is not what {where} was trained on: "
        f"{sizes if found.sizes != known.sizes else 'of the same size, but another content'}; put "
        "back the data that it was trained on, or read this by the codec and scaler of then with "
        "--allow-new-data, in Python allow_new_data=True."
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _sized(sizes: dict[str, int | None]) -> str:
    return ", ".join(f"{k} {v:,}" for k, v in sizes.items() if v is not None) or "other splits"


def require_length(source: Source, length: int | None) -> Source:
    """`source`, or `UsageError` when another length was asked for than its sequences have."""
    if length not in (None, source.signature.length):
        raise UsageError(
            f"Length {length} was given for '{source.name}', whose sequences have "
            f"{source.signature.length} steps; leave it out."
        )
    return source


_PORTION = 2**20
"""Values that are looked at in one go, where all at once would need a second copy."""


def portions_of(values: np.ndarray) -> Iterator[np.ndarray]:
    """Views of an array, some of its first axis at a time."""
    step = max(1, _PORTION * len(values) // max(1, values.size))
    return (values[start : start + step] for start in range(0, len(values), step))


def counts(symbols: np.ndarray, size: int) -> np.ndarray:
    """How often each of the symbols 0..size-1 occurs, `[size]`."""
    found = np.zeros(size, np.int64)
    for part in portions_of(symbols):
        found += np.bincount(part.ravel(), minlength=size)
    return found


def symbol_references(train_counts: np.ndarray, test_counts: np.ndarray) -> dict[str, float]:
    """Nats per test symbol: 'uniform', and 'unigram' by the training counts plus one.

    Both counts are `[V]`, how often each of the V symbols is an output.
    """
    log_p = np.log((train_counts + 1.0) / (train_counts.sum() + len(train_counts)))
    unigram = -float((test_counts * log_p).sum() / test_counts.sum())
    return {"uniform": math.log(len(train_counts)), "unigram": unigram}
