"""L1. Reading files: every fault of a path becomes one UsageError."""

import gzip
import zlib
from pathlib import Path

from pastforward.errors import UsageError

_GZIP = b"\x1f\x8b"


def read_bytes(path: Path) -> bytes:
    """All bytes of a file, unpacked if it is gzip; UsageError if it cannot be read or is empty."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data.startswith(_GZIP) else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(
            f"'{path}' is a damaged gzip file ({error}); fetch or pack it again."
        ) from error
    except OSError as error:
        raise UsageError(
            f"'{path}' cannot be read ({error.strerror}); check the path and its permissions."
        ) from error
    if not data:
        raise UsageError(f"'{path}' is empty; give a file with data in it.")
    return data


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file, unpacked; fewer, or none, where it is short or damaged."""
    try:
        with path.open("rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as file:
            return file.read(count)
    except (EOFError, zlib.error, OSError):
        return b""


def visible_files(folder: Path) -> list[Path]:
    """The files in a folder and the folders below it, sorted, hidden ones left out."""
    found = (p for p in folder.rglob("*") if p.is_file())
    return sorted(p for p in found if not any(n[0] == "." for n in p.relative_to(folder).parts))
