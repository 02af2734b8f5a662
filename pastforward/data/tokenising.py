"""L1. Text to symbols of a codec, once: kept on disk, by the content of both."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pastforward.data.cache import kept
from pastforward.data.characters import character_table, not_utf8, points
from pastforward.data.codec import codec_to_json
from pastforward.data.corpus import Part
from pastforward.data.documents import stretches
from pastforward.data.mapped import mapped, release
from pastforward.data.text_codec import AnyTextCodec, TextCodec
from pastforward.errors import UsageError
from pastforward.watching import counting

_AT_ONCE = 2**22
"""Bytes that are turned into symbols in one call."""

Encode = Callable[[Sequence[str]], Sequence[Any]]


class Symbols(NamedTuple):
    """Symbols `[N]` of a part, and where documents begin and end in them."""

    values: np.ndarray
    bounds: np.ndarray | None


def symbols_of(name: str, parts: Sequence[Part], codec: AnyTextCodec) -> list[Symbols]:
    """The symbols of each part, from the cache where they were made before.

    Raises `UsageError` for what is no UTF-8, or the cache can't be written.
    """
    key = {
        "text": [part.checksum for part in parts],
        "codec": hashlib.sha256(json.dumps(codec_to_json(codec)).encode()).hexdigest(),
    }

    def write(folder: Path) -> dict[str, Any]:
        with counting("turning text into symbols", sum(p.size for p in parts)) as done:
            return {
                "parts": [
                    _write(name, part, codec, folder / f"{place}.bin", done)
                    for place, part in enumerate(parts)
                ]
            }

    found, dtype = kept("symbols", key, write), np.min_scalar_type(codec.size - 1)
    return [
        _kept(found.folder, place, facts, dtype) for place, facts in enumerate(found.facts["parts"])
    ]


def _kept(folder: Path, place: int, facts: dict[str, Any], dtype: np.dtype) -> Symbols:
    values = mapped(folder / f"{place}.bin", dtype, facts["count"])
    bounds = np.load(folder / f"{place}.bin.npy") if facts["apart"] else None
    return Symbols(values, bounds)


def _write(
    name: str, part: Part, codec: AnyTextCodec, path: Path, done: Callable[[int], object]
) -> dict[str, Any]:
    dtype, encode = np.min_scalar_type(codec.size - 1), encoder(codec)
    bounds = np.array([[0, len(part.values)]]) if part.bounds is None else part.bounds
    lengths = np.zeros(len(bounds), np.int64)
    with path.open("wb") as file:
        for documents, texts in _batches(part.values, bounds):
            try:
                found = encode([text.decode() for text in texts])
            except UnicodeDecodeError as error:
                raise _fault(name, part.values, bounds[documents[0]][0]) from error
            for document, symbols in zip(documents, found, strict=True):
                file.write(np.asarray(symbols, dtype).tobytes())
                lengths[document] += len(symbols)
            done(sum(map(len, texts)))
            release(part.values)
    if part.bounds is not None:
        ends = lengths.cumsum()
        np.save(path.with_name(f"{path.name}.npy"), np.stack([ends - lengths, ends], 1))
    return {"count": int(lengths.sum()), "apart": part.bounds is not None}


def encoder(codec: AnyTextCodec) -> Encode:
    """What turns texts without ends of documents into symbols, many at a time."""
    if not isinstance(codec, TextCodec):
        return codec.encode_all
    if codec.characters is None:
        return lambda texts: [np.frombuffer(text.encode(), np.uint8) for text in texts]
    table = character_table(codec.characters)
    return lambda texts: [table[points(text)] for text in texts]


def _batches(values: np.ndarray, bounds: np.ndarray) -> Iterator[tuple[list[int], list[bytes]]]:
    """Numbers of documents, and stretches of them, some megabytes at a time."""
    documents: list[int] = []
    texts: list[bytes] = []
    size = 0
    for document, (begin, end) in enumerate(bounds.tolist()):
        for text in stretches(values, begin, end):
            documents.append(document)
            texts.append(text)
            size += len(text)
            if size >= _AT_ONCE:
                yield documents, texts
                documents, texts, size = [], [], 0
    if texts:
        yield documents, texts


def _fault(name: str, values: np.ndarray, begin: int) -> UsageError:
    """The error for bytes that are no UTF-8, with their place."""
    while True:
        text = values[begin : begin + _AT_ONCE].tobytes()
        try:
            begin += len(text.decode().encode())
        except UnicodeDecodeError as error:
            if error.start + 4 >= len(text) == _AT_ONCE:  # a character may be cut here
                begin += error.start
                continue
            return not_utf8(name, values, begin + error.start)
        if not text:
            return UsageError(f"'{name}' is not UTF-8 text; give UTF-8 text.")
