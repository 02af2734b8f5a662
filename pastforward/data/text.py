"""L1. Text from files, folders or parts in memory, as bytes or characters."""

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from typing_extensions import override

from pastforward.data import DataConfig, TextConfig
from pastforward.data.codec import Codec, TextCodec
from pastforward.data.files import read_bytes, visible_files
from pastforward.data.sampling import WindowSource, contiguous, fit_length
from pastforward.data.source import Splits, counts, portions_of, symbol_references
from pastforward.errors import UsageError
from pastforward.types import Signature, Tokens


@final
class TextSource(WindowSource):
    """Text: x_t is a symbol, y_t the next one."""

    codec: TextCodec
    dtype = np.int64

    def __init__(
        self, name: str, splits: Splits, codec: TextCodec, length: int | None, origin: str
    ) -> None:
        """`splits` hold symbols `[N]`; `UsageError` when one is shorter than a sequence."""
        self._kind = "bytes" if codec.characters is None else "characters"
        length = fit_length(f"The text '{name}'", splits, length, self._kind)
        symbols = Tokens(codec.size)
        super().__init__(name, Signature(symbols, symbols, length), codec)
        self.splits = splits
        self._origin = origin

    @override
    def references(self) -> dict[str, float]:
        outputs = (self.splits.train, self.test_outputs())
        return symbol_references(*(counts(s, self.codec.size) for s in outputs))

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": self._origin,
            "kind": self._kind,
            "vocabulary": self.codec.size,
            "symbols": {k: len(v) for k, v in self.splits._asdict().items()},
            "sequences": self.sequence_counts(),
        }


_MOST_CHARACTERS = 128
_HELD_OUT_NAMES = (("valid", "val", "validation"), ("test",))
_BOM = codecs.BOM_UTF8


def open_text(config: DataConfig, options: TextConfig, codec: Codec | None = None) -> TextSource:
    """A text file or folder, in the symbols of `codec` if it is one of text.

    Raises `UsageError` where it is empty, no text, too short, or has characters without a symbol.

    A folder with train.* beside valid.* or test.* is split that way, any other text 90/5/5.
    """
    path = Path(config.source).expanduser()
    parts = _folder(path) if path.is_dir() else [read_bytes(path)]
    # A bytearray is this function's own: its bytes become symbols in place.
    arrays = [np.frombuffer(part, np.uint8) for part in parts]
    return _source(str(path), arrays, (options.unit, codec), config.length)


def text_source(
    name: str, parts: Sequence[bytes], config: TextConfig | None = None, length: int | None = None,
    codec: Codec | None = None,
) -> TextSource:  # fmt: skip
    """UTF-8 text in one part (split 90/5/5), two (train, held out) or three (with test).

    A byte order mark at the start of a part is left out. With the codec of a text that a network
    was trained on, symbols are those. Raises `UsageError` for another number of parts, what is no
    text or has no symbols in the codec, or parts that are too short.
    """
    if not 1 <= len(parts) <= 3:
        raise UsageError(f"The text '{name}' was given in {len(parts)} parts; give one to three.")
    arrays = [np.frombuffer(bytes(part), np.uint8) for part in parts]
    return _source(name, arrays, ((config or TextConfig()).unit, codec), length)


def _source(
    name: str, parts: list[np.ndarray], reading: tuple[str, Codec | None], length: int | None
) -> TextSource:
    parts = [_unmarked(part) for part in parts]
    codec = _codec(name, parts, *reading)
    if codec.characters is not None:
        parts = [_indices(part, codec.characters) for part in parts]
    return TextSource(name, _divide(parts), codec, length, name)


def _codec(name: str, parts: list[np.ndarray], unit: str, known: Codec | None) -> TextCodec:
    # Any file can be read as bytes; the other units need valid UTF-8.
    if unit == "bytes" or known == TextCodec():
        return TextCodec()
    characters = "".join(sorted(set().union(*(_characters(name, part) for part in parts))))
    if isinstance(known, TextCodec):
        unknown = sorted(set(characters) - set(known.characters or ""))
        if unknown:
            raise UsageError(
                f"The text '{name}' holds characters that the text trained on did not: "
                f"{unknown[:8]}; put back the data that it was trained on, or leave them out."
            )
        return known
    few = unit == "chars" or len(characters) <= _MOST_CHARACTERS
    return TextCodec(characters if few else None)


def _folder(folder: Path) -> list[bytearray]:
    files = visible_files(folder)
    train = _named(files, ("train",))
    held = [found for names in _HELD_OUT_NAMES if (found := _named(files, names))]
    if train and held:
        return [read_bytes(p) for p in [train, *held]]
    filled = [p for p in files if p.stat().st_size]
    named = [p for p in filled if p.suffix.lower() == ".txt"]
    whole = bytearray()  # grown file by file, so that no second copy of all arises
    for path in named or filled:
        data = read_bytes(path)
        if named or _is_text(data):
            whole += b"\n" if whole else b""
            whole += memoryview(data)[len(_BOM) if data.startswith(_BOM) else 0 :]
    if not whole:
        raise UsageError(
            f"The folder '{folder}' holds no text; give one with .txt or other UTF-8 files, with "
            "IDX images, or the path of a single .npy, .npz or .csv file."
        )
    return [whole]


def _named(files: list[Path], stems: tuple[str, ...]) -> Path | None:
    return next((p for p in files if p.name.split(".")[0].lower() in stems), None)


def _is_text(data: bytearray) -> bool:
    try:
        return bool(_characters("", np.frombuffer(data, np.uint8)))
    except UsageError:
        return False


def _unmarked(part: np.ndarray) -> np.ndarray:
    """Bytes without a byte order mark, which is no symbol of a text."""
    return part[len(_BOM) :] if part[: len(_BOM)].tobytes() == _BOM else part


def _characters(name: str, part: np.ndarray) -> set[str]:
    """All that occur in UTF-8 bytes; `UsageError` for what is no text."""
    found = counts(part, 256)
    if found[0]:
        raise UsageError(
            f"'{name}' is binary (a zero byte at {int((part == 0).argmax())}), not text; {_ADVICE}."
        )
    if not found[128:].any():
        return set(map(chr, np.flatnonzero(found).tolist()))
    return set().union(*map(set, _decoded(name, part)))


_ADVICE = "give UTF-8 text, or read it with unit 'bytes'"


def _decoded(name: str, part: np.ndarray) -> Iterator[str]:
    """The text some at a time: as a whole it could take four times as much room."""
    decoder, done = codecs.getincrementaldecoder("utf-8")(), 0
    for chunk in [*portions_of(part), None]:
        pending = len(decoder.getstate()[0])
        try:
            yield decoder.decode(b"" if chunk is None else chunk.tobytes(), final=chunk is None)
        except UnicodeDecodeError as error:
            at = done - pending + error.start
            raise UsageError(
                f"'{name}' is not UTF-8 text (byte {part[at]:#04x} at {at}); {_ADVICE}."
            ) from error
        done += 0 if chunk is None else len(chunk)


def _indices(part: np.ndarray, characters: str) -> np.ndarray:
    """Symbols of UTF-8 bytes: a table of code points, as they are no more than these."""
    table = np.zeros(ord(characters[-1]) + 1, np.min_scalar_type(len(characters) - 1))
    table[[ord(c) for c in characters]] = np.arange(len(characters))
    ascii_alone = len(table) <= 128
    own = ascii_alone and part.flags.writeable
    count = len(part) if ascii_alone else _count(part)
    symbols, done = part if own else np.empty(count, table.dtype), 0
    texts = portions_of(part) if ascii_alone else map(_points, _decoded("", part))
    for points in texts:
        end = done + len(points)
        np.take(table, points, out=symbols[done:end], mode="clip")
        done = end
    return symbols


def _points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def _count(part: np.ndarray) -> int:
    """Characters of UTF-8 bytes: those that continue one begin with the bits 10."""
    return sum(int(np.count_nonzero((chunk & 0xC0) != 0x80)) for chunk in portions_of(part))


def _divide(parts: list[np.ndarray]) -> Splits:
    if len(parts) == 1:
        return contiguous(parts[0])
    if len(parts) == 2:
        return Splits(parts[0], *np.array_split(parts[1], 2))
    return Splits(*parts)
