"""L1. Where the documents of a text begin and end, and its parts for training, valid and test."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pastforward.data.cache import kept
from pastforward.data.corpus import LARGE, Corpus, Part
from pastforward.data.mapped import release
from pastforward.errors import UsageError
from pastforward.watching import counting

_STEP = 2**24
_WORD = re.compile(rb"(?<=\S) (?=\S)")
"""A place where no tokenizer joins what is before to what follows: one space between words."""
STRETCH = 2**16
"""Bytes that are tokenised in one go at most."""


def unescaped(text: str) -> str:
    r"""The same with \n and \t as shells hand them over."""
    return text.replace("\\n", "\n").replace("\\t", "\t")


def with_documents(corpus: Corpus, end: str) -> Corpus:
    """The same text, in each part split into documents where `end` stands.

    With '' files alone are documents. Raises `UsageError` where `end` occurs nowhere.
    """
    parts = [_divided(part, end.encode()) for part in corpus.parts]
    before = sum(1 if p.bounds is None else len(p.bounds) for p in corpus.parts)
    if end and sum(len(_bounds(p)) for p in parts) <= before:
        _require_end(corpus, end)
    return Corpus(corpus.name, parts)


def _require_end(corpus: Corpus, end: str) -> None:
    found = (_find(part.values, end.encode()) for part in corpus.parts)
    if not any(len(places) for places in found):
        raise UsageError(
            f"The text '{corpus.name}' holds no {end!r}, which --data.document-end says ends a "
            "document; give text that stands between its documents, or leave it out."
        )


def three_parts(corpus: Corpus) -> list[Part]:
    """Train, valid and test: as they are, the second of two in halves, or one text 90/5/5.

    Cut between documents, else between words. Raises `UsageError` for too few documents.
    """
    parts = corpus.parts
    if len(parts) == 3:
        return parts
    if len(parts) == 2:
        return [parts[0], *_cut(corpus.name, parts[1], (0.5,))]
    return _cut(corpus.name, parts[0], (0.9, 0.95))


def _cut(name: str, part: Part, shares: tuple[float, ...]) -> list[Part]:
    bounds = part.bounds
    if bounds is None:
        size = len(part.values)
        at = [0, *(word_after(part.values, round(s * size)) for s in shares), size]
        return [_slice(part, a, b) for a, b in pairwise(at)]
    if len(bounds) <= len(shares):
        raise UsageError(
            f"The text '{name}' holds {len(bounds)} documents where {len(shares) + 1} parts are to "
            "be held apart; give more documents, or leave out --data.document-end."
        )
    sizes = (bounds[:, 1] - bounds[:, 0]).cumsum()
    cuts = np.searchsorted(sizes, [share * sizes[-1] for share in shares])
    for place in range(len(cuts)):  # a document at least in each part
        low = (cuts[place - 1] if place else 0) + 1
        cuts[place] = np.clip(cuts[place], low, len(bounds) - len(cuts) + place)
    return [Part(part.values, found, part.known) for found in np.split(bounds, cuts)]


def _slice(part: Part, begin: int, end: int) -> Part:
    known = part.known and hashlib.sha256(f"{part.known} {begin} {end}".encode()).hexdigest()
    return Part(part.values[begin:end], None, known)


def _divided(part: Part, end: bytes) -> Part:
    if not end:
        return replace(part, bounds=_bounds(part))
    if len(part.values) < LARGE:
        return replace(part, bounds=_found(part, end))

    def write(folder: Path) -> dict[str, Any]:
        np.save(folder / "bounds.npy", _found(part, end))
        return {}

    key = {"text": part.checksum, "end": end.decode()}
    return replace(part, bounds=np.load(kept("documents", key, write).folder / "bounds.npy"))


def _found(part: Part, end: bytes) -> np.ndarray:
    """Documents that hold anything, `[D, 2]`: none reaches over the end of a file."""
    places, files = _find(part.values, end), _bounds(part)
    begins = np.sort(np.concatenate([files[:, 0], places + len(end)]))
    ends = np.sort(np.concatenate([files[:, 1], places]))
    found = np.stack([begins, ends], 1)
    return found[found[:, 1] > found[:, 0]]


def _bounds(part: Part) -> np.ndarray:
    return np.array([[0, len(part.values)]], np.int64) if part.bounds is None else part.bounds


def _find(values: np.ndarray, end: bytes) -> np.ndarray:
    """Places of all that don't overlap."""
    found, begin, size = [], 0, len(values)
    with counting("finding documents", size) as done:
        while begin < size:
            chunk = values[begin : begin + _STEP + len(end) - 1].tobytes()
            at = chunk.find(end)
            while at >= 0:
                found.append(begin + at)
                at = chunk.find(end, at + len(end))
            after = max(begin + _STEP, found[-1] + len(end) if found else 0)
            done(min(after, size) - begin)
            begin = after
            release(values)
    return np.array(found, np.int64)


def word_after(values: np.ndarray, begin: int) -> int:
    """The first place from `begin` on where text may be cut: before a word, else a character."""
    if begin <= 0 or begin >= len(values):
        return min(max(begin, 0), len(values))
    near = values[begin - 1 : begin + 256].tobytes()
    found = _WORD.search(near, 1)
    if found:
        return begin - 1 + found.start()
    return begin + next((i for i, byte in enumerate(near[1:]) if byte & 0xC0 != 0x80), 0)


def word_before(text: bytes) -> int:
    """The last place in text where it may be cut, as `word_after`; its length if there is none."""
    last = text.rfind(b" ")
    while last > 0:
        if _WORD.match(text, last):
            return last
        last = text.rfind(b" ", 0, last)
    whole = len(text)
    while whole > 1 and text[whole - 1] & 0xC0 == 0x80:
        whole -= 1
    return whole - 1 if whole > 1 and text[whole - 1] >= 0xC0 else len(text)


def stretches(values: np.ndarray, begin: int, end: int) -> Iterator[bytes]:
    """The bytes from `begin` to `end`, cut between words where they are many."""
    while end - begin > STRETCH:
        text = values[begin : begin + STRETCH].tobytes()
        size = word_before(text)
        yield text[:size]
        begin += size
    yield values[begin:end].tobytes()


def sample(part: Part, size: int) -> Iterator[bytes]:
    """About `size` bytes of a part, evenly spread over it; all of it where it has no more."""
    bounds = np.array([[0, len(part.values)]]) if part.bounds is None else part.bounds
    total = part.size
    ends = (bounds[:, 1] - bounds[:, 0]).cumsum()
    runs = 1 if total <= size else max(1, size // STRETCH)
    for run in range(runs):
        yield from _run(part.values, bounds, ends, run * total // runs, min(total, size) // runs)
    release(part.values)


def _run(
    values: np.ndarray, bounds: np.ndarray, ends: np.ndarray, begin: int, size: int
) -> Iterator[bytes]:
    """Stretches of documents from byte `begin` of all of them on, `size` bytes in all."""
    document = int(np.searchsorted(ends, begin, "right"))
    first, end = bounds[document].tolist()
    first = min(word_after(values, end - int(ends[document]) + begin), end) if begin else first
    while size > 0:
        for text in stretches(values, first, min(end, first + size)):
            whole = text if first + size >= end else text[: word_before(text)]
            size -= max(1, len(text))
            yield whole
        document += 1
        if document == len(bounds):
            return
        first, end = bounds[document].tolist()
