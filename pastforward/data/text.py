"""L1. Text from files, folders or parts in memory, as bytes or characters."""

from pathlib import Path
from typing import Any, final

import numpy as np
from typing_extensions import override

from pastforward.data import DataConfig, TextConfig
from pastforward.data.codec import TextCodec
from pastforward.data.files import read_bytes, visible_files
from pastforward.data.sampling import WindowSource, contiguous, fit_length
from pastforward.data.source import Splits, symbol_references
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
        return symbol_references(*(np.bincount(s, minlength=self.codec.size) for s in outputs))

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


def open_text(config: DataConfig, options: TextConfig) -> TextSource:
    """A text file or folder; raises `UsageError` where it is empty, no text, or too short.

    A folder with train.* beside valid.* or test.* is split that way, any other text 90/5/5.
    """
    path = Path(config.source).expanduser()
    parts = _folder(path) if path.is_dir() else [read_bytes(path)]
    return text_source(str(path), parts, options, config.length)


def text_source(
    name: str, parts: list[bytes], config: TextConfig | None = None, length: int | None = None
) -> TextSource:
    """UTF-8 text in one part (split 90/5/5), two (train, held out) or three (with test).

    Raises `UsageError` for another number of parts, what is no text, or parts that are too short.
    """
    unit = (config or TextConfig()).unit
    if not 1 <= len(parts) <= 3:
        raise UsageError(f"The text '{name}' was given in {len(parts)} parts; give one to three.")
    # Any file can be read as bytes; the other units need valid UTF-8.
    texts = [] if unit == "bytes" else [_decoded(name, p) for p in parts]
    characters = "".join(sorted(set().union(*texts)))
    if unit == "bytes" or (unit == "auto" and len(characters) > _MOST_CHARACTERS):
        arrays = [np.frombuffer(p, dtype=np.uint8) for p in parts]
        return TextSource(name, _divide(arrays), TextCodec(), length, name)
    arrays = [_indices(t, characters) for t in texts]
    return TextSource(name, _divide(arrays), TextCodec(characters), length, name)


def _folder(folder: Path) -> list[bytes]:
    files = visible_files(folder)
    train = _named(files, ("train",))
    held = [found for names in _HELD_OUT_NAMES if (found := _named(files, names))]
    if train and held:
        return [read_bytes(p) for p in [train, *held]]
    filled = [p for p in files if p.stat().st_size]
    found = [read_bytes(p) for p in filled if p.suffix == ".txt"]
    found = found or [data for p in filled if _is_text(data := read_bytes(p))]
    if not found:
        raise UsageError(
            f"The folder '{folder}' holds no text; give one with .txt or other UTF-8 files, with "
            "IDX images, or the path of a single .npy, .npz or .csv file."
        )
    return [b"\n".join(found)]


def _named(files: list[Path], stems: tuple[str, ...]) -> Path | None:
    return next((p for p in files if p.name.split(".")[0].lower() in stems), None)


def _is_text(data: bytes) -> bool:
    try:
        return bool(_decoded("", data))
    except UsageError:
        return False


def _decoded(name: str, data: bytes) -> str:
    advice = "give UTF-8 text, or read it with unit 'bytes'"
    if b"\0" in data:
        raise UsageError(
            f"'{name}' is binary (a zero byte at {data.index(0)}), not text; {advice}."
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"'{name}' is not UTF-8 text (byte {data[error.start]:#04x} at {error.start}); "
            f"{advice}."
        ) from error


def _indices(text: str, characters: str) -> np.ndarray:
    # `characters` are sorted by code point, so a binary search gives their indices.
    codes, known = (np.frombuffer(s.encode("utf-32-le"), np.uint32) for s in (text, characters))
    return np.searchsorted(known, codes).astype(np.min_scalar_type(len(known)))


def _divide(parts: list[np.ndarray]) -> Splits:
    if len(parts) == 1:
        return contiguous(parts[0])
    if len(parts) == 2:
        return Splits(parts[0], *np.array_split(parts[1], 2))
    return Splits(*parts)
