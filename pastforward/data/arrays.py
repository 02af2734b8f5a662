"""L1. Arrays of images from files: IDX (MNIST and its family), .npy and .npz."""

import io
import struct
import zipfile
import zlib
from math import prod
from pathlib import Path

import numpy as np

from pastforward.data.files import IDX_TYPES, idx_images, is_idx, read_bytes
from pastforward.errors import UsageError


def read_arrays(path: Path) -> list[np.ndarray]:
    """Arrays of a file or folder: [all], [train, test] or [train, valid, test]."""
    if path.is_dir():
        return [read_idx(p) for p in _idx_parts(path)]
    if is_idx(path):
        return [read_idx(path)]
    return _read_numpy(path)


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file; raises `UsageError` when it is truncated or no IDX file."""
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


def _idx_parts(folder: Path) -> list[Path]:
    files = idx_images(folder)
    train = [p for p in files if p.name.startswith("train")]
    test = [p for p in files if p.name.startswith(("t10k", "test"))]
    if len(train) == len(test) == 1:
        return train + test
    if len(files) != 1:
        raise UsageError(
            f"The folder '{folder}' holds {len(files)} IDX files of images; keep one, or one named "
            "train-* and one named t10k-*."
        )
    return files


def _read_numpy(path: Path) -> list[np.ndarray]:
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
    return [arrays[""]] if "" in arrays else _npz_parts(path, arrays)


def _npz_parts(path: Path, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    images = {k: v for k, v in arrays.items() if v.ndim == 3}
    parts = [[v for k, v in images.items() if w in k.lower()] for w in ("train", "val", "test")]
    if len(parts[0]) == len(parts[2]) == 1 and len(parts[1]) <= 1:
        return [v for part in parts for v in part]
    if len(images) != 1:
        shapes = ", ".join(f"{k} {v.shape}" for k, v in arrays.items())
        raise UsageError(
            f"'{path}' holds {shapes or 'nothing'}; keep one array of images [N, H, W], or one "
            "with 'train' and one with 'test' in its name."
        )
    return list(images.values())
