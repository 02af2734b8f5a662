"""L1. Arrays in files: IDX, .npy and .npz. Nothing is unpickled."""

import io
import struct
import zipfile
import zlib
from math import prod
from pathlib import Path

import numpy as np

from pastforward.data.files import IDX_TYPES, read_bytes
from pastforward.errors import UsageError


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

    Raises `UsageError` for a damaged file, and for objects.
    """
    try:
        # A pickled object could run code when it is loaded.
        loaded = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except UsageError:
        raise
    except (ValueError, EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
        raise UsageError(
            f"'{path}' is no readable array ({str(error).splitlines()[0][:80]}); save numbers by "
            "numpy.save or numpy.savez."
        ) from error
    return arrays
