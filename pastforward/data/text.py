"""L1. Text from files, folders or parts in memory, as bytes, characters or tokens."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pastforward.data import DataConfig, TextConfig, TextDials
from pastforward.data.cache import kept
from pastforward.data.characters import decoded, indices
from pastforward.data.codec import Codec
from pastforward.data.corpus import Corpus, Part, corpus_of, read_corpus
from pastforward.data.documents import three_parts, unescaped, with_documents
from pastforward.data.mapped import release
from pastforward.data.sampling import contiguous, fit_length
from pastforward.data.source import Source, Splits
from pastforward.data.text_codec import AnyTextCodec, TextCodec, TokenCodec
from pastforward.data.text_sources import About, Documents, TextAsRead, TextSource, kind_of_text
from pastforward.data.tokenising import Symbols, symbols_of
from pastforward.data.units import characters_codec, is_tokens, token_codec
from pastforward.errors import UsageError
from pastforward.files import expanded

ONCE = 128 * 2**20
"""Bytes up to which 'auto' makes the tokens of a whole text: about half a minute on one core."""


def open_text(config: DataConfig, options: TextConfig, codec: Codec | None = None) -> Source:
    """A text file or folder, in the symbols of `codec` if it is one of text.

    Raises `UsageError` where it is empty, no text, too short, or has characters without a symbol.

    A folder with train.* beside valid.* or test.* is split that way, any other text 90/5/5.
    """
    path = expanded(config.source)
    corpus = read_corpus(path, is_apart(options, codec))
    return source_of(corpus, options, config.length, codec)


def text_source(
    name: str, parts: Sequence[bytes], config: TextDials | None = None, length: int | None = None,
    codec: Codec | None = None,
) -> Source:  # fmt: skip
    """UTF-8 text in one part (split 90/5/5), two (train, held out) or three (with test).

    A byte order mark at the start of a part is left out. With the codec of a text that a network
    was trained on, symbols are those. Raises `UsageError` for another number of parts, what is no
    text or has no symbols in the codec, or parts that are too short.
    """
    if not 1 <= len(parts) <= 3:
        raise UsageError(f"The text '{name}' was given in {len(parts)} parts; give one to three.")
    return source_of(corpus_of(name, parts), config or TextConfig(), length, codec)


def is_apart(options: TextDials, codec: Codec | None) -> bool:
    """Are files of a folder, or rows of a data set, documents?"""
    if isinstance(codec, TextCodec | TokenCodec):
        return codec.document_end is not None or isinstance(codec, TokenCodec)
    return options.document_end is not None or is_tokens(options.unit)


def source_of(
    corpus: Corpus, options: TextDials, length: int | None, known: Codec | None = None
) -> Source:
    """The source of a text that was read; raises as `open_text` does."""
    known = known if isinstance(known, TextCodec | TokenCodec) else None
    end = _end(corpus, options, known)
    if end is not None:
        corpus = with_documents(corpus, end)
    tokens = isinstance(known, TokenCodec) or (known is None and is_tokens(options.unit))
    if not tokens and end is None:
        return _long(corpus, options.unit, length, known)
    parts = three_parts(corpus)
    if tokens:
        codec = known or token_codec(corpus.name, parts[0], options, end)
    else:
        codec = _characters(corpus.name, corpus.parts, options.unit, end, known)
    large = sum(part.size for part in parts) > ONCE
    if tokens and (options.tokenise == "as-read" or (options.tokenise == "auto" and large)):
        return _as_read(corpus, parts, codec, length)
    return _once(corpus, parts, codec, length)


def _end(corpus: Corpus, options: TextDials, known: AnyTextCodec | None) -> str | None:
    if known is not None:
        return known.document_end
    if options.document_end is not None:
        return unescaped(options.document_end)
    return "" if any(part.bounds is not None for part in corpus.parts) else None


def _characters(
    name: str, parts: list[Part], unit: str, end: str | None, known: AnyTextCodec | None
) -> TextCodec:
    # Any file can be read as bytes; the other units need valid UTF-8.
    known = known if isinstance(known, TextCodec) else None
    if unit == "bytes" or (known is not None and known.characters is None):
        return TextCodec(None, end)
    return characters_codec(name, parts, unit, end, known)


def _long(corpus: Corpus, unit: str, length: int | None, known: AnyTextCodec | None) -> TextSource:
    """One long text, in bytes or characters."""
    codec = _characters(corpus.name, corpus.parts, unit, None, known)
    large = any(part.is_large for part in corpus.parts)
    arrays, sizes = [part.values for part in corpus.parts], _sizes(corpus.parts)
    if codec.characters is not None and large:
        arrays = [one.values for one in symbols_of(corpus.name, corpus.parts, codec)]
    elif codec.characters is not None:
        arrays = [indices(values, codec.characters) for values in arrays]
    splits = _divide(arrays)
    length = fit_length(f"The text '{corpus.name}'", splits, length, kind_of_text(codec))
    checksum = corpus.checksum if large else None
    return TextSource(About(corpus.name, corpus.name, sizes, checksum), splits, codec, length)


def _sizes(parts: list[Part]) -> tuple[int, ...]:
    """Bytes of each split; of one long text about."""
    sizes = [part.size for part in parts]
    if len(sizes) == 1:
        held = sizes[0] // 20
        return sizes[0] - 2 * held, held, held
    return (sizes[0], sizes[1] - sizes[1] // 2, sizes[1] // 2) if len(sizes) == 2 else tuple(sizes)


def _divide(arrays: list[np.ndarray]) -> Splits:
    if len(arrays) == 1:
        return contiguous(arrays[0])
    if len(arrays) == 2:
        return Splits(arrays[0], *np.array_split(arrays[1], 2))
    return Splits(*arrays)


def _once(corpus: Corpus, parts: list[Part], codec: AnyTextCodec, length: int | None) -> Source:
    """Symbols of the whole text: bytes as they are, others from the cache."""
    about = About(corpus.name, corpus.name, tuple(p.size for p in parts), _checksum(corpus, codec))
    if isinstance(codec, TextCodec) and codec.characters is None:
        found = [Symbols(part.values, part.bounds) for part in parts]
    else:
        found = symbols_of(corpus.name, parts, codec)
    if codec.end is None:
        splits = Splits(*(one.values for one in found))
        length = fit_length(f"The text '{corpus.name}'", splits, length, kind_of_text(codec))
        return TextSource(about, splits, codec, length)
    return Documents(about, found, codec, _window(corpus.name, found, length))


def _as_read(
    corpus: Corpus, parts: list[Part], codec: AnyTextCodec, length: int | None
) -> TextAsRead:
    for part in corpus.parts:
        _require_text(corpus.name, part)
    about = About(corpus.name, corpus.name, tuple(p.size for p in parts), _checksum(corpus, codec))
    found = [Symbols(part.values, part.bounds) for part in parts]
    return TextAsRead(about, parts, codec, _window(corpus.name, found, length))


def _checksum(corpus: Corpus, codec: AnyTextCodec) -> str | None:
    """Of the text itself where its symbols would take long to read."""
    large = any(part.is_large for part in corpus.parts)
    return corpus.checksum if large or isinstance(codec, TokenCodec) else None


_DEFAULT_LENGTH, _SHORTEST = 128, 2


def _window(name: str, parts: list[Symbols], length: int | None) -> int:
    """T: `length`, or 128, or that of the longest document where it is shorter."""
    longest = max(
        len(p.values) if p.bounds is None else int((p.bounds[:, 1] - p.bounds[:, 0]).max())
        for p in parts
    )
    wanted = max(_SHORTEST, min(_DEFAULT_LENGTH, longest + 1)) if length is None else length
    if wanted < 1:
        raise UsageError(f"Length {wanted} was given for the text '{name}'; give at least 1.")
    return wanted


def _require_text(name: str, part: Part) -> None:
    """Refuse what is no UTF-8 before it is read in windows; large text is looked at once."""

    def look(folder: Path) -> dict[str, str]:
        for _ in decoded(name, part.values):
            release(part.values)
        return {}

    if part.is_large:
        kept("checked", {"text": replace(part, bounds=None).checksum}, look)
    else:
        for _ in decoded(name, part.values):
            pass
