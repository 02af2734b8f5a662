"""L1. Codecs of text: bytes, characters or tokens, with a symbol that ends documents."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, final

from typing_extensions import override

from pastforward.data.files import optional_package
from pastforward.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class SymbolsOfText(ABC):
    """Abstract: what text is written in."""

    document_end: str | None
    """Text that ends a document, a symbol of its own; '' where nothing stands between them, None
    where there are no documents."""

    @property
    @abstractmethod
    def end(self) -> int | None:
        """The symbol between documents; None where there are none."""

    @property
    @abstractmethod
    def pieces(self) -> Sequence[bytes]:
        """The UTF-8 bytes that each symbol stands for; none for `end`."""

    @abstractmethod
    def encode_within(self, text: str) -> list[int]:
        """The symbols of text that holds no end of a document."""

    @property
    def size(self) -> int:
        """How many symbols there are."""
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """Text to symbols; raises `UsageError` for characters that have no symbol."""
        if not self.document_end:
            return self.encode_within(text)
        assert self.end is not None
        first, *others = text.split(self.document_end)
        found = self.encode_within(first)
        for part in others:
            found += [self.end, *self.encode_within(part)]
        return found

    def decode(self, symbols: Sequence[int]) -> str:
        """Symbols to text; bytes that are not UTF-8 become U+FFFD."""
        end, between = self.end, (self.document_end or "").encode()
        parts = (between if s == end else self.pieces[s] for s in symbols)
        return b"".join(parts).decode("utf-8", errors="replace")


@final
@dataclass(frozen=True)
class TextCodec(SymbolsOfText):
    """Text as characters, or as UTF-8 bytes (256 symbols) when `characters` is None."""

    characters: str | None = None
    document_end: str | None = None

    @property
    @override
    def end(self) -> int | None:
        return None if self.document_end is None else len(self._written)

    @property
    @override
    def pieces(self) -> Sequence[bytes]:
        return self._pieces

    @cached_property
    def _pieces(self) -> list[bytes]:
        return self._written if self.document_end is None else [*self._written, b""]

    @cached_property
    def _written(self) -> list[bytes]:
        if self.characters is None:
            return [bytes([i]) for i in range(256)]
        return [one.encode(errors="surrogatepass") for one in self.characters]

    @override
    def encode_within(self, text: str) -> list[int]:
        if self.characters is None:
            return list(utf8(text))
        unknown = sorted(set(text) - self._index.keys())
        if unknown:
            raise UsageError(
                f"The text holds characters that the training text did not: {unknown[:8]}; "
                f"use only these {len(self.characters)}: {self.characters[:128]!r}."
            )
        return [self._index[c] for c in text]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {c: i for i, c in enumerate(self.characters or "")}


@final
@dataclass(frozen=True)
class TokenCodec(SymbolsOfText):
    """Text as the tokens of a Hugging Face tokenizer, which is kept whole."""

    tokenizer: str
    """The content of its tokenizer.json."""
    document_end: str | None = None

    @cached_property
    def _ids(self) -> dict[str, int]:
        content = json.loads(self.tokenizer)
        return vocabulary(content) | {one["content"]: one["id"] for one in content["added_tokens"]}

    @cached_property
    def _count(self) -> int:
        return max(self._ids.values()) + 1

    @property
    @override
    def end(self) -> int | None:
        """The token of that text where the tokenizer has one, else a symbol after its own."""
        return None if self.document_end is None else self._ids.get(self.document_end, self._count)

    @property
    @override
    def pieces(self) -> Sequence[bytes]:
        return self._pieces

    @cached_property
    def _pieces(self) -> list[bytes]:
        content = json.loads(self.tokenizer)
        added = {one["id"]: one["content"].encode() for one in content["added_tokens"]}
        of = _bytes_of if "ByteLevel" in json.dumps(content.get("decoder")) else _marked_bytes_of
        found = [b""] * (self._count + (self.end == self._count))
        for token, place in vocabulary(content).items():
            found[place] = of(token)
        for place, text in added.items():
            found[place] = text
        if self.end is not None:
            found[self.end] = b""
        return found

    @override
    def encode_within(self, text: str) -> list[int]:
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of several texts, made on all cores."""
        plain = [t if t.isascii() else utf8(t).decode(errors="replace") for t in texts]
        found = loaded(self.tokenizer).encode_batch_fast(plain, add_special_tokens=False)
        return [one.ids for one in found]


AnyTextCodec = TextCodec | TokenCodec


@lru_cache(maxsize=4)
def loaded(content: str) -> "Tokenizer":
    """The tokenizer of a tokenizer.json, without padding or truncation.

    Raises `UsageError` where the package isn't installed, and `ValueError` for another content.
    """
    package = optional_package("tokenizers", "tokens", "text in tokens")
    try:
        found = package.Tokenizer.from_str(content)
    except Exception as error:  # of its own, without a class
        raise ValueError(" ".join(str(error).split())) from error
    found.no_padding()
    found.no_truncation()
    return found


def vocabulary(content: Mapping[str, Any]) -> dict[str, int]:
    """Tokens and their numbers, from the content of a tokenizer.json."""
    found = content["model"]["vocab"]
    if isinstance(found, dict):
        return found
    return {pair[0]: place for place, pair in enumerate(found)}


@lru_cache(maxsize=1)
def _byte_letters() -> dict[str, int]:
    """The letters by which byte-level tokenizers write bytes: printable ones stand for themselves.

    The others are written, in their order, as the characters from U+0100 on.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }


def _bytes_of(token: str) -> bytes:
    letters = _byte_letters()
    if not set(token) <= letters.keys():
        return token.encode()
    return bytes(letters[one] for one in token)


def _marked_bytes_of(token: str) -> bytes:
    """Of tokens with a sign for spaces, and single bytes as <0x0A>."""
    byte = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", token)
    return bytes([int(byte[1], 16)]) if byte else token.replace("\u2581", " ").encode()


def utf8(text: str) -> bytes:
    """UTF-8 of text from a command line; `UsageError` for what it can't express."""
    # Python decodes command-line bytes that are not UTF-8 to surrogates (PEP 383): undo it.
    try:
        return text.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The text holds {text[error.start]!r}, which UTF-8 cannot express; leave it out."
        ) from error
