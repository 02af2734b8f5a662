"""L1. The bytes of a text in files, folders or memory: small ones in memory, large ones on disk."""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np

from pastforward.data.cache import kept
from pastforward.data.characters import is_text
from pastforward.data.files import is_gzip, read_bytes, visible_files
from pastforward.data.mapped import known_checksum, mapped, released_portions
from pastforward.errors import UsageError
from pastforward.watching import watched

LARGE = 64 * 2**20
"""Bytes from which a text stays on disk."""
_HELD_OUT_NAMES = (("valid", "val", "validation"), ("test",))
_BOM = codecs.BOM_UTF8
_TEXT, _BOUNDS = "text.bin", "documents.npy"

Write = Callable[[Any], object]


@dataclass(frozen=True, eq=False)
class Part:
    """Some of a text: UTF-8 bytes `[N]`, uint8, and where its documents begin and end in them."""

    values: np.ndarray
    bounds: np.ndarray | None = None
    """`[D, 2]`, int64; None where there are no documents."""
    known: str | None = None
    """SHA-256 of the values, where it is known."""

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the values and of the places of documents."""
        whole = self.known or hashlib.sha256(np.ascontiguousarray(self.values).data).hexdigest()
        if self.bounds is None:
            return whole
        return hashlib.sha256(whole.encode() + self.bounds.tobytes()).hexdigest()

    @property
    def is_large(self) -> bool:
        """Does it stay on disk?"""
        return len(self.values) >= LARGE

    @property
    def size(self) -> int:
        """Bytes of the text, without what stands between documents."""
        if self.bounds is None:
            return len(self.values)
        return int((self.bounds[:, 1] - self.bounds[:, 0]).sum())


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text in one part, two (train, held out) or three (with test)."""

    name: str
    parts: list[Part]

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(" ".join(p.checksum for p in self.parts).encode()).hexdigest()


def read_corpus(path: Path, apart: bool) -> Corpus:
    """A file, or a folder: train.* beside valid.* or test.*, or all of its text in one part.

    With `apart` the files of a folder are documents, else they are joined by new lines. Raises
    `UsageError` where there is no text or it can't be read.
    """
    if not path.is_dir():
        return Corpus(str(path), [_file(path)])
    files = visible_files(path)
    train = _named(files, ("train",))
    held = [found for names in _HELD_OUT_NAMES if (found := _named(files, names))]
    if train and held:
        return Corpus(str(path), [_file(one) for one in [train, *held]])
    return Corpus(str(path), [_folder(path, files, apart)])


def corpus_of(name: str, parts: Sequence[bytes]) -> Corpus:
    """Text in memory."""
    arrays = [np.frombuffer(bytes(part), np.uint8) for part in parts]
    return Corpus(name, [Part(_unmarked(part)) for part in arrays])


def kept_parts(folder: Path, facts: Sequence[dict[str, Any]]) -> list[Part]:
    """Parts that `PartWriter` wrote."""
    return [_kept_part(folder / str(place), part) for place, part in enumerate(facts)]


@final
class PartWriter:
    """Writes a part to disk, document by document; to be used by `with`."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder."""
        folder.mkdir()
        self._folder, self._digest, self._size = folder, hashlib.sha256(), 0
        self._file, self._bounds = (folder / _TEXT).open("wb"), []

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, content: Any) -> None:
        """More bytes."""
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)

    def close(self, bounds: Sequence[tuple[int, int]] | None) -> dict[str, Any]:
        """What `kept_parts` needs to know."""
        self._file.close()
        if bounds is not None:
            np.save(self._folder / _BOUNDS, np.array(bounds, np.int64).reshape(-1, 2))
        apart = bounds is not None
        return {"bytes": self._size, "sha256": self._digest.hexdigest(), "apart": apart}


def _kept_part(folder: Path, facts: dict[str, Any]) -> Part:
    bounds = np.load(folder / _BOUNDS) if facts["apart"] else None
    return Part(mapped(folder / _TEXT, count=facts["bytes"]), bounds, facts["sha256"])


def _file(path: Path) -> Part:
    try:
        size, packed = path.stat().st_size, is_gzip(path)
    except OSError as error:
        raise UsageError(
            f"'{path}' cannot be read ({error.strerror}); check the path and its permissions."
        ) from error
    if packed and size >= LARGE // 4:
        found = kept("unpacked", _stamp([path]), lambda folder: _unpacked(path, folder))
        return kept_parts(found.folder, [found.facts])[0]
    if packed or size < LARGE:
        # A bytearray is this function's own: its bytes may become symbols in place.
        return Part(_unmarked(np.frombuffer(read_bytes(path), np.uint8)))
    values = mapped(path)
    return Part(_unmarked(values), None, known_checksum(path))


def _unpacked(path: Path, folder: Path) -> dict[str, Any]:
    try:
        with gzip.open(path) as file, PartWriter(folder / "0") as writer:
            for chunk in watched(iter(lambda: file.read(2**20), b""), "unpacking text", None):
                writer.write(chunk)
            return writer.close(None)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(
            f"'{path}' is a damaged gzip file ({error}); fetch or pack it again."
        ) from error


def _folder(folder: Path, files: list[Path], apart: bool) -> Part:
    filled = [p for p in files if p.stat().st_size]
    named = [p for p in filled if p.suffix.lower() == ".txt"]
    chosen = named or filled
    if sum(p.stat().st_size for p in chosen) < LARGE:
        whole = bytearray()  # grown file by file, so that no second copy of all arises
        bounds = _join(chosen, bool(named), apart, whole.__iadd__)
        part = Part(np.frombuffer(whole, np.uint8), _array(bounds, apart))
    else:

        def write(target: Path) -> dict[str, Any]:
            with PartWriter(target / "0") as writer:
                bounds = _join(chosen, bool(named), apart, writer.write)
                return writer.close(bounds if apart and len(bounds) > 1 else None)

        found = kept("folders", _stamp(chosen) | {"apart": apart}, write)
        part = kept_parts(found.folder, [found.facts])[0]
    if not len(part.values):
        raise UsageError(
            f"The folder '{folder}' holds no text; give one with .txt or other UTF-8 files, with "
            "IDX images, or the path of a single .npy, .npz or .csv file."
        )
    return part


def _array(bounds: list[tuple[int, int]], apart: bool) -> np.ndarray | None:
    """Documents, where there are several files."""
    return np.array(bounds, np.int64) if apart and len(bounds) > 1 else None


def _join(files: list[Path], named: bool, apart: bool, write: Write) -> list[tuple[int, int]]:
    """Where each file begins and ends; what is no text is left out, but of .txt files nothing."""
    bounds: list[tuple[int, int]] = []
    for path in watched(files, "reading files of text", len(files)):
        values = _file(path).values
        if not named and not is_text(values):
            continue
        begin = bounds[-1][1] if bounds else 0
        if begin and not apart:
            write(b"\n")
            begin += 1
        for portion in released_portions(values) if len(values) >= LARGE else [values]:
            write(portion.data)
        bounds.append((begin, begin + len(values)))
        del values  # before the next file is read
    return bounds


def _stamp(files: list[Path]) -> dict[str, Any]:
    """By what files on disk are known without reading them."""
    found = [(str(p.absolute()), p.stat()) for p in files]
    return {"files": [[path, s.st_size, s.st_mtime_ns, s.st_ino] for path, s in found]}


def _named(files: list[Path], stems: tuple[str, ...]) -> Path | None:
    return next((p for p in files if p.name.split(".")[0].lower() in stems), None)


def _unmarked(part: np.ndarray) -> np.ndarray:
    """Bytes without a byte order mark, which is no symbol of a text."""
    return part[len(_BOM) :] if part[: len(_BOM)].tobytes() == _BOM else part
