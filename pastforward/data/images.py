"""L1. Images as sequences of pixels, from arrays or from IDX (MNIST), .npy and .npz files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from typing_extensions import override

from pastforward.data import DataConfig, ImageConfig
from pastforward.data.arrays import read_idx, read_numpy
from pastforward.data.codec import Codec, PixelCodec, quantise
from pastforward.data.files import idx_images, is_idx
from pastforward.data.sampling import epoch_examples, portions, shuffled
from pastforward.data.source import (
    Source,
    Splits,
    counts,
    held_out_index,
    portions_of,
    require_length,
    symbol_references,
)
from pastforward.errors import UsageError
from pastforward.files import expanded
from pastforward.types import Batch, Signature, Tokens


@final
class PixelSource(Source):
    """x = (start, p_1, .., p_{T-1}) and y = (p_1, .., p_T), T = height * width.

    Pixels are levels 0..levels-1; the input symbol `levels` is the start symbol. Every epoch shows
    each training image once.
    """

    codec: PixelCodec

    def __init__(
        self, name: str, splits: Splits, codec: PixelCodec, origin: str, scale: str = ""
    ) -> None:
        """`splits` hold levels `[N, T]`; `origin` says where they came from and how they read."""
        inputs, outputs = Tokens(codec.levels + 1), Tokens(codec.levels)
        super().__init__(name, Signature(inputs, outputs, codec.height * codec.width), codec)
        self._splits = splits
        self._origin, self.scale = origin, scale

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        train = self._splits.train
        return self._sequences(train[epoch_examples(len(train), seed, index, size)])

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        pixels = self._splits[held_out_index(split)]
        return (self._sequences(pixels[part]) for part in portions(len(pixels), size, limit))

    @override
    def content(self) -> Iterator[np.ndarray]:
        return iter(self._splits)

    @override
    def references(self) -> dict[str, float]:
        train, _, test = (counts(s, self.codec.levels) for s in self._splits)
        return symbol_references(train, test)

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": self._origin,
            "kind": "pixels",
            "height": self.codec.height,
            "width": self.codec.width,
            "levels": self.codec.levels,
            "sequences": {k: len(v) for k, v in self._splits._asdict().items()},
        }

    def _sequences(self, pixels: np.ndarray) -> Batch:
        y = torch.from_numpy(pixels.astype(np.int64))
        start = torch.full((len(y), 1), self.codec.levels)
        return Batch(torch.cat([start, y[:, :-1]], 1), y, torch.ones_like(y, dtype=torch.bool))


def idx_parts(folder: Path) -> list[Path]:
    """The one IDX file of images in a folder, or those of train and test; else `UsageError`."""
    files = idx_images(folder)
    folders = sorted({str(p.parent.relative_to(folder)) for p in files})
    if len(folders) > 1:
        raise UsageError(
            f"'{folder}' holds IDX images in several folders; name one: {', '.join(folders[:6])}."
        )
    train = [p for p in files if "train" in p.name]
    test = [p for p in files if "t10k" in p.name or "test" in p.name]
    if len(train) == len(test) == 1:
        return train + test
    if len(files) != 1:
        raise UsageError(
            f"The folder '{folder}' holds {len(files)} IDX files of images; keep one, or one "
            "with 'train' and one with 't10k' or 'test' in its name."
        )
    return files


def _numpy_parts(path: Path) -> list[np.ndarray]:
    arrays = read_numpy(path)
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


def open_images(config: DataConfig, options: ImageConfig, codec: Codec | None = None) -> Source:
    """Images in a file or folder; raises `UsageError` where they can't be read."""
    path = expanded(config.source)
    files = idx_parts(path) if path.is_dir() else [path] if is_idx(path) else []
    arrays = [read_idx(p) for p in files] or _numpy_parts(path)
    return require_length(image_source(str(path), arrays, options), config.length)


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
    top, how = white(name, arrays, levels)
    height, width = (size // pool for size in arrays[0].shape[1:])
    splits = _divide([_levels(a, config, top) for a in arrays])
    smaller = f", averaged over {pool} x {pool} pixels" if pool > 1 else ""
    how += smaller
    return PixelSource(name, splits, PixelCodec(height, width, levels), f"{name}, {how}", how)


def _levels(images: np.ndarray, config: ImageConfig, top: float) -> np.ndarray:
    """`[N, T]` uint8; floats of some images at a time, not of all."""
    parts = (averaged(part, config.pool) / top for part in portions_of(images))
    return np.concatenate([quantise(p, config.levels).reshape(len(p), -1) for p in parts])


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


def white(name: str, arrays: list[np.ndarray], levels: int) -> tuple[float, str]:
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


def averaged(images: np.ndarray, pool: int) -> np.ndarray:
    """Images `[N, H, W, ...]` averaged over squares of `pool` pixels, as float32."""
    n, height, width, *channels = images.shape
    squares = images.reshape(n, height // pool, pool, width // pool, pool, *channels)
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
