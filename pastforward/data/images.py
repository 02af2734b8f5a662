"""L1. Arrays of images to a `PixelSource`: checked, averaged down, quantised, split."""

from pathlib import Path

import numpy as np

from pastforward.data.arrays import read_arrays
from pastforward.data.codec import PixelCodec, quantise
from pastforward.data.configs import DataConfig, ImageConfig
from pastforward.data.pixels import PixelSource
from pastforward.data.sampling import shuffled
from pastforward.data.source import Source, Splits, require_length
from pastforward.errors import UsageError


def open_images(config: DataConfig, options: ImageConfig) -> Source:
    """Images in a file or folder; raises `UsageError` where they can't be read."""
    path = Path(config.source).expanduser()
    return require_length(image_source(str(path), read_arrays(path), options), config.length)


def image_source(
    name: str, arrays: list[np.ndarray], config: ImageConfig | None = None
) -> PixelSource:
    """Images `[N, H, W]`: [all] (split 80/10/10), [train, test] or [train, valid, test].

    Integers up to 255 or floats in [0, 1] become `levels` grey levels, after averages over
    squares of `pool` pixels. Raises `UsageError` for another rank or range, or a pool that doesn't
    divide the images.
    """
    config = config or ImageConfig()
    levels, pool = config.levels, config.pool
    _check_shapes(name, arrays, pool)
    top, how = _white(name, arrays, levels)
    pooled = [_pooled(a, pool) / top for a in arrays]
    height, width = pooled[0].shape[1:]
    splits = _divide([quantise(p, levels).reshape(len(p), -1) for p in pooled])
    averaged = f", averaged over {pool} x {pool} pixels" if pool > 1 else ""
    return PixelSource(name, splits, PixelCodec(height, width, levels), f"{name}, {how}{averaged}")


def _check_shapes(name: str, arrays: list[np.ndarray], pool: int) -> None:
    if not 1 <= len(arrays) <= 3:
        raise UsageError(f"'{name}' was given as {len(arrays)} arrays; give one to three.")
    for a in arrays:
        if a.ndim != 3 or a.shape[1:] != arrays[0].shape[1:] or not a.size:
            raise UsageError(
                f"'{name}' holds an array of shape {a.shape}; give images of one size as "
                "[N, H, W], none of them 0."
            )
    height, width = arrays[0].shape[1:]
    if height % pool or width % pool:
        raise UsageError(
            f"Pool {pool} was given for images of {height} x {width}; give a factor that divides "
            "both."
        )
    # Missing splits are cut from the first array.
    splits = 4 - len(arrays)
    if len(arrays[0]) < splits:
        raise UsageError(
            f"'{name}' holds {len(arrays[0])} images to train on; give at least {splits}, one for "
            "each split."
        )


def _white(name: str, arrays: list[np.ndarray], levels: int) -> tuple[float, str]:
    """The value that means white, and how values are read."""
    if any(a.dtype.kind not in "buif" for a in arrays):
        raise UsageError(f"'{name}' holds {arrays[0].dtype}; give integers or floats.")
    low, high = float(min(a.min() for a in arrays)), float(max(a.max() for a in arrays))
    whole = arrays[0].dtype.kind in "bui"
    # A NaN makes low NaN, and no comparison with it is true.
    if not (low >= 0 and high <= (255 if whole else 1)):
        raise UsageError(
            f"'{name}' holds values from {low:g} to {high:g}; give integers from 0 to 255 or "
            "floats from 0 to 1."
        )
    if whole and 1 < high < levels:
        return levels - 1, f"values taken as {levels} levels as they are"
    top = 255 if whole and high > 1 else 1
    return top, f"values 0..{top} quantised to {levels} grey levels"


def _pooled(images: np.ndarray, pool: int) -> np.ndarray:
    n, height, width = images.shape
    squares = images.reshape(n, height // pool, pool, width // pool, pool)
    return squares.mean((2, 4), dtype=np.float32) if pool > 1 else images.astype(np.float32)


def _divide(parts: list[np.ndarray]) -> Splits:
    n = len(parts[0])
    tenth = max(1, n // 10)
    if len(parts) == 1:
        return shuffled(parts[0], n - 2 * tenth, tenth)
    if len(parts) == 2:
        train, valid, _ = shuffled(parts[0], n - tenth, tenth)
        return Splits(train, valid, parts[1])
    return Splits(*parts)
