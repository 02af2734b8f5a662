"""L1. Arrays on disk: mapped into memory, read in portions, and given back to the system."""

import hashlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pastforward.data.cache import damaged, kept
from pastforward.data.source import portions_of
from pastforward.watching import counting

_CHUNK = 2**22


def mapped(path: Path, dtype: np.dtype | type = np.uint8, count: int | None = None) -> np.ndarray:
    """The numbers in a file, on disk; `count` of them, or all.

    Raises `UsageError` where it holds another number of them.
    """
    size = path.stat().st_size
    if count is not None and size != count * np.dtype(dtype).itemsize:
        raise damaged(path.parent)
    return np.memmap(path, dtype, "r") if size else np.empty(0, dtype)


def release(values: np.ndarray) -> None:
    """Let go of the pages of a mapped array that were read; they are read again when needed.

    Pages of files count as memory of a process as long as it holds them.
    """
    found = _map_of(values)
    if found is not None and hasattr(mmap, "MADV_DONTNEED"):
        found.madvise(mmap.MADV_DONTNEED)


def _map_of(values: object) -> mmap.mmap | None:
    while values is not None and not isinstance(values, mmap.mmap):
        values = getattr(values, "base", None)
    return values


def released_portions(values: np.ndarray) -> Iterator[np.ndarray]:
    """`portions_of`, each of which is released once it was used."""
    for part in portions_of(values):
        yield part
        release(part)


def known_checksum(path: Path) -> str:
    """SHA-256 of a large file; kept for as long as its size and time of change are the same."""
    found = path.stat()
    key = {"path": os.path.realpath(path), "size": found.st_size, "time": found.st_mtime_ns,
           "inode": found.st_ino}  # fmt: skip

    def write(folder: Path) -> dict[str, str]:
        digest = hashlib.sha256()
        with path.open("rb") as file, counting("reading text", found.st_size) as done:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                done(len(chunk))
        return {"sha256": digest.hexdigest()}

    return kept("checksums", key, write).facts["sha256"]
