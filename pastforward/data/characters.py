"""L1. From UTF-8 bytes to characters and their numbers, some at a time."""

import codecs
from collections.abc import Iterator
from itertools import chain

import numpy as np

from pastforward.data.mapped import released_portions
from pastforward.data.source import counts
from pastforward.errors import UsageError

_ADVICE = "give UTF-8 text, or read it with unit 'bytes'"


def is_text(part: np.ndarray) -> bool:
    """Is it UTF-8 without zero bytes?"""
    try:
        return bool(characters("", part))
    except UsageError:
        return False


def characters(name: str, part: np.ndarray) -> set[str]:
    """All that occur in UTF-8 bytes; `UsageError` for what is no text."""
    found = sum((counts(chunk, 256) for chunk in released_portions(part)), np.zeros(256, int))
    if found[0]:
        raise UsageError(
            f"'{name}' is binary (a zero byte at {int((part == 0).argmax())}), not text; {_ADVICE}."
        )
    if not found[128:].any():
        return set(map(chr, np.flatnonzero(found).tolist()))
    return set().union(*map(set, decoded(name, part)))


def decoded(name: str, part: np.ndarray) -> Iterator[str]:
    """The text some at a time: as a whole it could take four times as much room."""
    decoder, done = codecs.getincrementaldecoder("utf-8")(), 0
    for chunk in chain(released_portions(part), [None]):
        pending = len(decoder.getstate()[0])
        try:
            yield decoder.decode(b"" if chunk is None else chunk.tobytes(), final=chunk is None)
        except UnicodeDecodeError as error:
            at = done - pending + error.start
            raise not_utf8(name, part, at) from error
        done += 0 if chunk is None else len(chunk)


def not_utf8(name: str, part: np.ndarray, at: int) -> UsageError:
    """The error for a byte that is no text."""
    return UsageError(f"'{name}' is not UTF-8 text (byte {part[at]:#04x} at {at}); {_ADVICE}.")


def indices(part: np.ndarray, known: str) -> np.ndarray:
    """Symbols of UTF-8 bytes that hold no other characters than these."""
    table = character_table(known)
    ascii_alone = len(table) <= 128
    own = ascii_alone and part.flags.writeable
    count = len(part) if ascii_alone else _count(part)
    symbols, done = part if own else np.empty(count, table.dtype), 0
    texts = released_portions(part) if ascii_alone else map(points, decoded("", part))
    for found in texts:
        end = done + len(found)
        np.take(table, found, out=symbols[done:end], mode="clip")
        done = end
    return symbols


def character_table(known: str) -> np.ndarray:
    """The symbol of each code point, for text that holds no others."""
    table = np.zeros(ord(known[-1]) + 1, np.min_scalar_type(len(known) - 1))
    table[[ord(c) for c in known]] = np.arange(len(known))
    return table


def points(text: str) -> np.ndarray:
    """Code points `[N]`."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def _count(part: np.ndarray) -> int:
    """Characters of UTF-8 bytes: those that continue one begin with the bits 10."""
    return sum(int(np.count_nonzero((chunk & 0xC0) != 0x80)) for chunk in released_portions(part))
