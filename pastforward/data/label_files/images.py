"""L1. Labelled images as sequences of pixels: IDX folders (MNIST), digits, arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pastforward.data import LabelledConfig
from pastforward.data.arrays import read_idx
from pastforward.data.codec import InputCodec, PixelCodec, SymbolCodec, quantise
from pastforward.data.images import averaged, idx_parts, white
from pastforward.data.labelled import Reading
from pastforward.data.targets import Given
from pastforward.errors import UsageError
from pastforward.files import expanded
from pastforward.watching import watched

_CHUNK = 1000
"""Images that are converted in one go, so that floats of all are never held."""
_COLOURS = {1: ("grey",), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}


class Pixels(NamedTuple):
    """Images as sequences of pixels."""

    xs: list[np.ndarray]
    """Of each part, `[N, T]` symbols or `[N, T, C]`."""
    codec: InputCodec | None
    """None for vectors."""
    columns: tuple[str, ...]
    size: tuple[int, int] | None
    """Height and width; None where pixels have another order."""
    how: str

    def reading(self, name: str, parts: dict[str, Given]) -> Reading:
        """What was read, with targets."""
        return Reading(name, parts, self.codec, self.columns, how=self.how, size=self.size)


def image_inputs(name: str, images: list[np.ndarray], options: LabelledConfig) -> Pixels:
    """Images `[N, H, W]` or `[N, H, W, C]` of all parts as sequences of H * W pixels.

    Pixels are vectors of C channels, or with `levels` symbols. Raises `UsageError` for a pool that
    doesn't divide the images, and levels of colours.
    """
    height, width, *channels = images[0].shape[1:]
    pool, colours = options.pool, channels[0] if channels else 1
    for one in images:
        if one.shape[1:] != images[0].shape[1:] or not one.size or one.ndim not in (3, 4):
            raise UsageError(
                f"'{name}' holds images of shape {one.shape}; give [N, H, W] or [N, H, W, C] of "
                "one size."
            )
    if height % pool or width % pool:
        raise UsageError(
            f"Pool {pool} was given for images of {height} x {width}; give a factor that divides "
            "both."
        )
    if options.levels is not None and colours > 1:
        raise UsageError(
            f"Grey levels were asked for, but the images of '{name}' have {colours} channels; "
            "leave levels out."
        )
    how = [f"images of {height // pool} x {width // pool} pixels, row by row"]
    top = 1.0
    if options.levels is not None:
        top, read = white(name, images, options.levels)
        how.append(read)
    if pool > 1:
        how.append(f"averaged over {pool} x {pool} pixels")
    order = _order(height * width // pool**2, options)
    if order is not None:
        how[0] = how[0].replace("row by row", f"in the random order of seed {options.permute}")
    xs = [_sequences(one, options, top, order) for one in images]
    size = height // pool, width // pool
    shown = size if order is None else None
    return Pixels(xs, _codec(size, options), _COLOURS.get(colours, ()), shown, ", ".join(how))


def read_idx_folder(source: str, options: LabelledConfig) -> Reading:
    """Images in a folder of IDX files, with labels in files named *-labels-idx1-ubyte."""
    path = expanded(source)
    files = idx_parts(path)
    every = [*files, *map(_labels_of, files)]
    arrays = [read_idx(file) for file in watched(every, "reading IDX files", len(every))]
    pixels = image_inputs(str(path), arrays[: len(files)], options)
    givens = [Given(x, y) for x, y in zip(pixels.xs, arrays[len(files) :], strict=True)]
    return pixels.reading(str(path), dict(zip(["train", "test"], givens, strict=False)))


def read_digits(source: str, options: LabelledConfig) -> Reading:
    """scikit-learn's 1797 handwritten digits, 8 x 8 pixels of 0 to 16."""
    from sklearn.datasets import load_digits  # takes a second to import

    if source != "digits":
        raise UsageError(f"'{source}' was given; the labelled digits are 'digits'.")
    pixels, y = load_digits(return_X_y=True)
    images = np.asarray(pixels).reshape(-1, 8, 8).astype(np.float32) / 16
    read = image_inputs(source, [images], options)
    return read.reading(source, {"train": Given(read.xs[0], np.asarray(y))})


def _sequences(
    images: np.ndarray, options: LabelledConfig, top: float, order: np.ndarray | None
) -> np.ndarray:
    """`[N, T]` symbols or `[N, T, C]`; a view where nothing changes."""
    if options.pool > 1 or options.levels is not None:
        chunks = [images[i : i + _CHUNK] for i in range(0, len(images), _CHUNK)]
        shown = watched(chunks, "converting images", len(chunks))
        images = np.concatenate([_converted(chunk, options, top) for chunk in shown])
    channels = (-1,) if options.levels is None else ()
    x = images.reshape(len(images), images.shape[1] * images.shape[2], *channels)
    return x if order is None else x[:, order]


def _converted(images: np.ndarray, options: LabelledConfig, top: float) -> np.ndarray:
    """Averaged down, and as levels where these are asked for."""
    smaller = averaged(images, options.pool) if options.pool > 1 else images
    if options.levels is None:
        return smaller
    grey = smaller.reshape(smaller.shape[:3])  # of one channel
    return quantise(grey / np.float32(top), options.levels)


def _order(pixels: int, options: LabelledConfig) -> np.ndarray | None:
    if options.permute is None:
        return None
    return np.random.default_rng(options.permute).permutation(pixels)


def _codec(size: tuple[int, int], options: LabelledConfig) -> InputCodec | None:
    if options.levels is None:
        return None
    # Pixels in another order are no image that could be shown.
    return (
        PixelCodec(*size, options.levels)
        if options.permute is None
        else SymbolCodec(options.levels)
    )


def _labels_of(images: Path) -> Path:
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    packed = name.removesuffix(".gz")
    for one in (name, packed, f"{packed}.gz"):
        if (images.parent / one).exists() and one != images.name:
            return images.parent / one
    raise UsageError(f"'{images}' has no labels beside it; put '{name}' there.")
