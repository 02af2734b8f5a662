"""L1. Labelled arrays in .npz files, or in .npy files that lie side by side."""

from pathlib import Path

import numpy as np

from pastforward.data import LabelledConfig
from pastforward.data.arrays import UNREADABLE, read_numpy
from pastforward.data.files import is_npy
from pastforward.data.files import suffix as suffix_of
from pastforward.data.label_files.images import image_inputs
from pastforward.data.labelled import Reading
from pastforward.data.targets import Given
from pastforward.errors import UsageError
from pastforward.files import expanded

_SUFFIXES = {
    "train": ("", "_train"),
    "valid": ("_valid", "_val", "_validation", "_dev"),
    "test": ("_test",),
}


def read_arrays(source: str, options: LabelledConfig) -> Reading:
    """x and y, and where they are there mask and lengths, of each split by suffix: x_test.

    Arrays x `[N, H, W, C]`, or `[N, H, W]` with `levels` or `pool`, are images.
    """
    path = expanded(source)
    arrays = _loaded(path)
    target = options.target[0] if options.target else "y"
    found = {split: _part(path, arrays, split, target) for split in _SUFFIXES}
    parts = {split: given for split, given in found.items() if given is not None}
    if "train" not in parts:
        shapes = ", ".join(f"{k} {v.shape}" for k, v in arrays.items())
        raise UsageError(
            f"'{path}' holds {shapes or 'nothing'}; give x and {target}, or x_train and "
            f"{target}_train."
        )
    images = [np.asarray(given.x) for given in parts.values()]
    if not _are_images(images[0], options):
        _refuse_image_options(path, images[0], options)
        return Reading(str(path), parts)
    pixels = image_inputs(str(path), images, options)
    return pixels.reading(
        str(path),
        {s: given._replace(x=x) for (s, given), x in zip(parts.items(), pixels.xs, strict=True)},
    )


def _loaded(path: Path) -> dict[str, np.ndarray]:
    """Arrays by lower-case name; those of .npy files are memory maps."""
    if path.is_file() and not is_npy(path):
        return {name.lower(): array for name, array in read_numpy(path).items()}
    folder = path if path.is_dir() else path.parent
    found = {}
    for file in sorted(p for p in folder.glob("*") if suffix_of(p) == ".npy"):
        try:
            found[file.stem.lower()] = np.load(file, mmap_mode="r", allow_pickle=False)
        except UNREADABLE as error:
            raise UsageError(
                f"'{file}' is no readable array ({str(error).splitlines()[0][:80]}); save numbers "
                "by numpy.save."
            ) from error
    return found


def _part(path: Path, arrays: dict[str, np.ndarray], split: str, target: str) -> Given | None:
    for suffix in _SUFFIXES[split]:
        x, y = arrays.get(f"x{suffix}"), arrays.get(f"{target}{suffix}")
        if (x is None) != (y is None):
            there, lacking = ("x", target) if y is None else (target, "x")
            raise UsageError(
                f"'{path}' holds {there}{suffix} but not {lacking}{suffix}, or only as objects, "
                f"which are not unpickled; it holds {', '.join(arrays)}."
            )
        if x is not None and y is not None:
            return Given(x, y, arrays.get(f"mask{suffix}"), arrays.get(f"lengths{suffix}"))
    return None


def _are_images(x: np.ndarray, options: LabelledConfig) -> bool:
    as_images = options.levels is not None or options.pool > 1
    return x.ndim == 4 or (x.ndim == 3 and as_images)


def _refuse_image_options(path: Path, x: np.ndarray, options: LabelledConfig) -> None:
    if (options.levels, options.pool, options.permute) != (None, 1, None):
        raise UsageError(
            f"'{path}' holds x of shape {x.shape}, no images, for which levels, pool and permute "
            "are; leave them out, or give [N, H, W] or [N, H, W, C]."
        )
