"""L1. Arrays in files: IDX, .npy and .npz. Nothing is unpickled."""

import io
import struct
import zipfile
import zlib
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np

from pastforward.data.files import IDX_TYPES, is_gzip, is_npy, read_bytes, require_content
from pastforward.errors import UsageError

UNREADABLE = (
    ValueError, EOFError, OSError, SyntaxError, TokenError, OverflowError, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
"""What NumPy raises for damaged files; it reads headers as Python."""


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file; raises `UsageError` where it is damaged."""
    data = read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX_TYPES:
        raise UsageError(
            f"'{path}' does not start like an IDX file ({data[:4].hex(' ')}); give one that starts "
            "with 00 00 08 03."
        )
    start = 4 + 4 * data[3]
    shape = struct.unpack(f">{data[3]}I", data[4:start]) if len(data) >= start else ()
    dtype = np.dtype(IDX_TYPES[data[2]])
    expected = start + prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise UsageError(
            f"'{path}' holds {len(data)} bytes where its IDX header asks for {expected}; it is "
            "truncated or damaged, so fetch it again."
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def read_numpy(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name, or that of a .npy file under ''.

    Arrays of objects in a .npz file are left out, as they could run code when they are unpickled.
    Raises `UsageError` for a damaged file, and for a .npy file of objects.
    """
    try:
        if is_gzip(path):
            with io.BytesIO(read_bytes(path)) as file:
                found = _loaded(file)
        elif is_npy(path):  # a file as it is needs no second copy
            found = {"": np.load(path, mmap_mode="r", allow_pickle=False)}
        else:
            require_content(path)
            with path.open("rb") as file:
                found = _loaded(file)
    except UsageError:
        raise
    except UNREADABLE as error:
        raise UsageError(
            f"'{path}' is no readable array ({str(error).splitlines()[0][:80]}); save numbers by "
            "numpy.save or numpy.savez."
        ) from error
    return {name: array for name, array in found.items() if array is not None}


def _loaded(file: BinaryIO) -> dict[str, np.ndarray | None]:
    loaded = np.load(file, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return {"": loaded}
    return {name: _member(loaded, name) for name in loaded.files}


def _member(file: np.lib.npyio.NpzFile, name: str) -> np.ndarray | None:
    """An array of a .npz file; None for objects."""
    try:
        found = file[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            return None
        raise
    return found if isinstance(found, np.ndarray) else None  # a member may be no array at all
