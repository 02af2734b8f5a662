"""L1. The .ts files of the UCR/UEA archive, by sktime's reader."""

from pathlib import Path
from typing import Any

import numpy as np

from pastforward.data import LabelledConfig
from pastforward.data.files import optional_package, read_bytes, suffix
from pastforward.data.labelled import Reading
from pastforward.data.targets import Given
from pastforward.errors import UsageError
from pastforward.files import expanded
from pastforward.watching import watched


def read_ts(source: str, options: LabelledConfig) -> Reading:
    """A .ts file; where NAME_TRAIN.ts and NAME_TEST.ts are a pair, both.

    Raises `UsageError` for a file without labels or that can't be read, and for several in a
    folder.
    """
    path = expanded(source)
    train, test = _pair(path)
    pair = dict(zip(("train", "test"), filter(None, (train, test)), strict=False))
    parts = {
        split: _read(file) for split, file in watched(pair.items(), "reading .ts files", len(pair))
    }
    return Reading(str(path), parts, how=train.name + (f" and {test.name}" if test else ""))


def _pair(path: Path) -> tuple[Path, Path | None]:
    files = [path] if path.is_file() else sorted(p for p in path.glob("*") if suffix(p) == ".ts")
    stems = {file.stem.removesuffix("_TRAIN").removesuffix("_TEST") for file in files}
    if len(stems) != 1:
        raise UsageError(
            f"The folder '{path}' holds .ts files of {len(stems)} data sets; name one of them: "
            f"{', '.join(sorted(file.name for file in files)[:6])}."
        )
    stem = files[0].with_name(stems.pop())
    train, test = Path(f"{stem}_TRAIN.ts"), Path(f"{stem}_TEST.ts")
    if train.exists():
        return train, test if test.exists() else None
    return files[0], None


def _read(path: Path) -> Given:
    head = _head(path)
    numbers = head.get("@targetlabel") == "true"
    if not numbers and head.get("@classlabel") != "true":
        raise UsageError(
            f"'{path}' says of itself that it has no labels (@classLabel); give one that does."
        )
    reader = optional_package("sktime.datasets", "ts", str(path))
    try:
        table, y = reader.load_from_tsfile(str(path), return_data_type="nested_univ")
        x = [_sequence(path, i, row) for i, row in enumerate(table.to_numpy())]
    except UsageError:
        raise
    except Exception as error:  # of any type, where a file isn't as the format says
        raise UsageError(
            f"'{path}' is no readable .ts file ({str(error).splitlines()[0][:80]}); fetch it again."
        ) from error
    return Given(x, np.asarray(y, float) if numbers else np.asarray(y, str))


def _head(path: Path) -> dict[str, str]:
    """The first word of each tag above the data."""
    found = {}
    for line in read_bytes(path).decode("utf-8", errors="replace").splitlines():
        tag, *words = line.strip().lower().split()[:2] or [""]
        if tag == "@data":
            break
        if tag.startswith("@"):
            found[tag] = words[0] if words else ""
    return found


def _sequence(path: Path, index: int, row: Any) -> np.ndarray:
    """`[T, C]` of one series for each channel."""
    channels = [np.asarray(one, dtype=np.float32) for one in row]
    if len({len(one) for one in channels}) > 1:
        raise UsageError(
            f"'{path}' has channels of {[len(one) for one in channels]} steps in sequence {index}; "
            "give all channels of a sequence as many."
        )
    return np.stack(channels, 1)
