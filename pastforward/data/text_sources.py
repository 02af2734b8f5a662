"""L1. Sources of text: one long text, or documents, as symbols or made into tokens as read.

A window of documents lies in one of them. It begins with the symbol between documents where it is
the first, its last output is that symbol where it is the last, and what is left of its T steps is
padding. So nothing is remembered, and nothing predicted, across the end of a document.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any, final

import numpy as np
import torch
from typing_extensions import override

from pastforward.data.corpus import Part
from pastforward.data.documents import sample, stretches, word_after, word_before
from pastforward.data.mapped import release
from pastforward.data.sampling import TRAIN, WindowSource, generator
from pastforward.data.source import (
    Source,
    Splits,
    counts,
    held_out_index,
    portions_of,
    symbol_references,
)
from pastforward.data.text_codec import AnyTextCodec, TextCodec
from pastforward.data.tokenising import Symbols, encoder
from pastforward.types import Batch, Signature, Tokens

_COUNTED = 2**26
"""Symbols by which the reference losses are counted, at most."""
_RELEASED = 64
"""Batches after which pages of mapped text are let go."""


@dataclass(frozen=True)
class About:
    """What people are told of a text."""

    name: str
    origin: str
    sizes: tuple[int, ...]
    """UTF-8 bytes of each split."""
    checksum: str | None = None
    """Of its content, where it is known."""

    def describe(self, codec: AnyTextCodec, **more: Any) -> dict[str, Any]:
        """As `Source.describe` has it."""
        sizes = dict(zip(Splits._fields, self.sizes, strict=True))
        return {
            "name": self.name, "origin": self.origin, "kind": kind_of_text(codec),
            "vocabulary": codec.size, **more, "bytes": sizes,
        }  # fmt: skip


def kind_of_text(codec: AnyTextCodec) -> str:
    """What people call its symbols."""
    if not isinstance(codec, TextCodec):
        return "tokens"
    return "bytes" if codec.characters is None else "characters"


@final
class TextSource(WindowSource):
    """One long text: x_t is a symbol, y_t the next one."""

    codec: AnyTextCodec
    dtype = np.int64

    def __init__(self, about: About, splits: Splits, codec: AnyTextCodec, length: int) -> None:
        """`splits` hold symbols `[N]`, in memory or on disk, longer than `length`."""
        symbols = Tokens(codec.size)
        super().__init__(about.name, Signature(symbols, symbols, length), codec)
        self.splits, self._about = splits, about

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        if index % _RELEASED == 0:
            release(self.splits.train)
        return super().batch(seed, index, size)

    @override
    def references(self) -> dict[str, float]:
        outputs = (self.splits.train[:_COUNTED], self.test_outputs()[:_COUNTED])
        found = symbol_references(*(counts(s, self.codec.size) for s in outputs))
        release(self.splits.train)
        return found

    @override
    def known_checksum(self) -> str | None:
        return self._about.checksum

    @override
    def describe(self) -> dict[str, Any]:
        sizes = {k: len(v) for k, v in self.splits._asdict().items()}
        return self._about.describe(self.codec, symbols=sizes, sequences=self.sequence_counts())


class DocumentSource(Source):
    """Abstract: windows of documents. Each is drawn by how long it is."""

    codec: AnyTextCodec

    def __init__(
        self,
        about: About,
        parts: list[Symbols],
        codec: AnyTextCodec,
        length: int,
        units: float = 1.0,
    ) -> None:
        """Values of each split, and its documents in them; `units` of values are a symbol."""
        symbols = Tokens(codec.size)
        super().__init__(about.name, Signature(symbols, symbols, length), codec)
        self.about, self.parts = about, parts
        self._reach = max(1, round(units * length))
        self._outputs = [_outputs(part) for part in parts]
        """Ends `[D]` of documents among all outputs of a split, in units."""

    @abstractmethod
    def windows(self, part: Symbols, places: list[tuple[int, int]]) -> list[np.ndarray]:
        """Symbols `[at most T + 1]` of windows, each by its document and its first output there."""

    @abstractmethod
    def symbols(self, part: Symbols, document: int) -> Iterator[np.ndarray]:
        """The symbols of a document, some at a time."""

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        part, ends, random = self.parts[0], self._outputs[0], generator(seed, TRAIN, index)
        if index % _RELEASED == 0:
            release(part.values)
        drawn = random.integers(0, ends[-1], size)
        # The output drawn stands anywhere in its window, but a window leaves its document only
        # where the document is shorter: so first and last outputs are seen nearly as often.
        back = random.integers(0, self._reach, size)
        document = np.searchsorted(ends, drawn, "right")
        lengths = np.diff(ends, prepend=0)[document]
        first = drawn - (ends[document] - lengths) - back
        first = np.clip(first, 0, np.maximum(lengths - self._reach, 0))
        places = list(zip(document.tolist(), first.tolist(), strict=True))
        return self._padded(self.windows(part, places))

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """Windows that adjoin each other, document after document."""
        rows = islice(self._rows(self.parts[held_out_index(split)]), limit)
        while few := list(islice(rows, size)):
            yield self._padded(few)

    def _rows(self, part: Symbols) -> Iterator[np.ndarray]:
        for document in range(1 if part.bounds is None else len(part.bounds)):
            yield from _cut(self._whole(part, document), self.signature.length)

    def _whole(self, part: Symbols, document: int) -> Iterator[np.ndarray]:
        end = [] if self.codec.end is None else [np.array([self.codec.end])]
        yield from end
        yield from self.symbols(part, document)
        yield from end

    def _padded(self, rows: list[np.ndarray]) -> Batch:
        length = self.signature.length
        whole = np.zeros((len(rows), length + 1), np.int64)
        mask = np.zeros((len(rows), length), bool)
        for place, row in enumerate(rows):
            whole[place, : len(row)] = row
            mask[place, : len(row) - 1] = True
        s = torch.from_numpy(whole)
        return Batch(s[:, :-1].contiguous(), s[:, 1:].contiguous(), torch.from_numpy(mask))

    @override
    def known_checksum(self) -> str | None:
        return self.about.checksum


@final
class Documents(DocumentSource):
    """Documents whose symbols are there, in memory or on disk."""

    @override
    def windows(self, part: Symbols, places: list[tuple[int, int]]) -> list[np.ndarray]:
        return [self._window(part, *place) for place in places]

    def _window(self, part: Symbols, document: int, first: int) -> np.ndarray:
        assert part.bounds is not None
        begin, end = part.bounds[document].tolist()
        last = first + self.signature.length
        between = np.array([self.codec.end])
        return np.concatenate([
            between[: first == 0],
            part.values[begin + max(first, 1) - 1 : min(begin + last, end)],
            between[: begin + last > end],
        ]).astype(np.int64)  # fmt: skip

    @override
    def symbols(self, part: Symbols, document: int) -> Iterator[np.ndarray]:
        assert part.bounds is not None
        begin, end = part.bounds[document].tolist()
        yield from portions_of(part.values[begin:end])

    @override
    def references(self) -> dict[str, float]:
        return symbol_references(*(self._counts(self.parts[i]) for i in (0, 2)))

    def _counts(self, part: Symbols) -> np.ndarray:
        assert part.bounds is not None
        assert self.codec.end is not None
        found = np.zeros(self.codec.size, np.int64)
        sizes = (part.bounds[:, 1] - part.bounds[:, 0]).cumsum()
        used = part.bounds[: int(np.searchsorted(sizes, _COUNTED)) + 1]
        for begin, end in used.tolist():
            found += counts(part.values[begin:end], self.codec.size)
        found[self.codec.end] += len(used)
        release(part.values)
        return found

    @override
    def content(self) -> Iterator[np.ndarray]:
        for part in self.parts:
            assert part.bounds is not None
            yield part.values
            yield part.bounds

    @override
    def describe(self) -> dict[str, Any]:
        documents, sizes, sequences = {}, {}, {}
        for name, ends in zip(Splits._fields, self._outputs, strict=True):
            lengths = np.diff(ends, prepend=0)
            documents[name], sizes[name] = len(ends), int(ends[-1] - len(ends))
            sequences[name] = int(np.ceil(lengths / self.signature.length).sum())
        return self.about.describe(
            self.codec, symbols=sizes, documents=documents, sequences=sequences | {"train": None}
        )


@final
class TextAsRead(DocumentSource):
    """Text on disk whose tokens are made when they are read, of windows that begin at words.

    Batches need no pass over the text: that of 2 GB would take minutes before the first step.
    """

    def __init__(
        self, about: About, parts: list[Part], codec: AnyTextCodec, length: int
    ) -> None:  # fmt: skip
        """`parts` hold UTF-8 bytes."""
        self._encode, self._raw = encoder(codec), parts
        self._sampled = [_token_counts(part, codec, self._encode) for part in parts]
        size, self._units = parts[0].size, 1.0
        read = min(size, _SAMPLE)
        self._units = max(1.0, read / max(1, int(self._sampled[0].sum())))
        super().__init__(
            about, [Symbols(part.values, _all(part)) for part in parts], codec, length, self._units
        )

    @override
    def windows(self, part: Symbols, places: list[tuple[int, int]]) -> list[np.ndarray]:
        asked = [self._text(part, *place) for place in places]
        found = self._encode([text.decode(errors="replace") for text, _ in asked])
        rows = zip(places, asked, found, strict=True)
        return [self._window(part, place, a, list(tokens)) for place, a, tokens in rows]

    def _text(
        self, part: Symbols, document: int, first: int, factor: float = 1.5
    ) -> tuple[bytes, bool]:
        """Text of about T tokens and half as many; does it reach the end of the document?"""
        assert part.bounds is not None
        begin, end = part.bounds[document].tolist()
        at = min(word_after(part.values, begin + first), end) if first else begin
        wanted = at + ceil(factor * self._units * (self.signature.length + 1)) + 64
        if wanted >= end:
            return part.values[at:end].tobytes(), True
        text = part.values[at:wanted].tobytes()
        return text[: word_before(text)], False

    def _window(
        self, part: Symbols, place: tuple[int, int], asked: tuple[bytes, bool], tokens: list[int]
    ) -> np.ndarray:
        between = [] if self.codec.end is None else [self.codec.end]
        length, factor = self.signature.length, 1.5
        while len(tokens) <= length and not asked[1]:
            factor *= 2
            asked = self._text(part, *place, factor)
            tokens = list(self._encode([asked[0].decode(errors="replace")])[0])
        whole = [*between[: place[1] == 0], *tokens, *between[: asked[1]]]
        return np.array(whole[: length + 1], np.int64)

    @override
    def symbols(self, part: Symbols, document: int) -> Iterator[np.ndarray]:
        assert part.bounds is not None
        for text in stretches(part.values, *part.bounds[document].tolist()):
            yield np.asarray(self._encode([text.decode(errors="replace")])[0], np.int64)

    @override
    def references(self) -> dict[str, float]:
        """By a sample of the text."""
        return symbol_references(self._sampled[0], self._sampled[2])

    @override
    def content(self) -> Iterator[np.ndarray]:
        for part in self.parts:
            yield part.values
            yield part.bounds if part.bounds is not None else np.empty(0)

    @override
    def describe(self) -> dict[str, Any]:
        more = {"sequences": dict.fromkeys(Splits._fields), "bytes a token": self._units}
        if self.codec.end is not None:
            counted = zip(Splits._fields, self._outputs, strict=True)
            more["documents"] = {name: len(ends) for name, ends in counted}
        return self.about.describe(self.codec, **more)


_SAMPLE = 2**20
"""Bytes of a part by which its tokens are counted."""


def _token_counts(part: Part, codec: AnyTextCodec, encode: Any) -> np.ndarray:
    texts = [text.decode(errors="replace") for text in sample(part, _SAMPLE)]
    return counts(np.concatenate([np.asarray(s, np.int64) for s in encode(texts)]), codec.size)


def _all(part: Part) -> np.ndarray:
    return np.array([[0, len(part.values)]]) if part.bounds is None else part.bounds


def _outputs(part: Symbols) -> np.ndarray:
    """Ends of documents among the outputs of all, each with the symbol that ends it."""
    assert part.bounds is not None
    return (part.bounds[:, 1] - part.bounds[:, 0] + 1).cumsum()


def _cut(symbols: Iterator[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Windows of `length` outputs each, the last one shorter; each begins at the last output."""
    waiting = np.empty(0, np.int64)
    for some in symbols:
        waiting = np.concatenate([waiting, some])
        while len(waiting) > length:
            yield waiting[: length + 1]
            waiting = waiting[length:]
    if len(waiting) > 1:
        yield waiting
