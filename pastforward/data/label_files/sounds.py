"""L1. Sounds by class: a folder with a folder of .wav files for each class."""

import struct
import warnings
from pathlib import Path

import numpy as np

from pastforward.data import LabelledConfig
from pastforward.data.files import visible_files
from pastforward.data.label_files import PARTS
from pastforward.data.labelled import Reading
from pastforward.data.targets import Given
from pastforward.errors import UsageError
from pastforward.files import expanded
from pastforward.watching import watched


def read_sounds(source: str, options: LabelledConfig) -> Reading:
    """FOLDER/CLASS/*.wav, or FOLDER/train/CLASS/*.wav beside valid and test.

    A channel for each of the sound; with `pool`, means over so many steps. Raises `UsageError` for
    sounds of several rates or numbers of channels, and those that can't be read.
    """
    path = expanded(source)
    folders = {split: _folder(path, names) for split, names in PARTS.items()}
    given = {split: folder for split, folder in folders.items() if folder is not None}
    if "train" not in given:
        given = {"train": path}
    formats: dict[tuple[int, int], Path] = {}
    parts = {split: _part(folder, options.pool, formats) for split, folder in given.items()}
    (rate, channels), *others = formats
    if others:
        raise UsageError(
            f"'{formats[rate, channels]}' has {channels} channels at {rate} Hz, but "
            f"'{formats[others[0]]}' {others[0][1]} at {others[0][0]} Hz; give sounds of one kind."
        )
    pooled = f", means over {options.pool} samples" if options.pool > 1 else ""
    return Reading(str(path), parts, how=f"{rate} Hz{pooled}")


def _folder(path: Path, names: tuple[str, ...]) -> Path | None:
    return next((path / name for name in names if (path / name).is_dir()), None)


def _part(folder: Path, pool: int, formats: dict[tuple[int, int], Path]) -> Given:
    files = [f for f in visible_files(folder) if f.suffix.lower() == ".wav" and f.parent != folder]
    if not files:
        raise UsageError(f"'{folder}' holds no folders with .wav files; give one for each class.")
    y = np.array([file.relative_to(folder).parts[0] for file in files])
    shown = watched(files, "reading sounds", len(files))
    return Given([_sound(file, pool, formats) for file in shown], y)


def _sound(path: Path, pool: int, formats: dict[tuple[int, int], Path]) -> np.ndarray:
    """`[T, C]` from -1 to 1."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that are no sound
            rate, found = wavfile.read(path)
    except (ValueError, OSError, EOFError, struct.error) as error:
        raise UsageError(
            f"'{path}' is no readable .wav file ({str(error)[:80]}); leave it out or mend it."
        ) from error
    sound = found.reshape(len(found), -1)
    formats.setdefault((rate, sound.shape[1]), path)
    steps = len(sound) // pool
    if not steps:
        raise UsageError(
            f"'{path}' has {len(sound)} samples, too few for one mean over {pool}; leave it out, "
            "or lower --data.pool."
        )
    means = sound[: steps * pool].reshape(steps, pool, -1).mean(1, dtype=np.float32)
    if found.dtype.kind == "f":
        return means
    middle = 128 if found.dtype == np.uint8 else 0
    return (means - middle) / (128 if middle else -float(np.iinfo(found.dtype).min))
