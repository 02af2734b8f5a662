"""L1. Labelled sequences in files: from a path or name to a source."""

from dataclasses import fields
from typing import Any

import numpy as np

from pastforward.data import DataConfig, LabelledConfig
from pastforward.data.codec import Codec, LabelCodec
from pastforward.data.files import MNIST
from pastforward.data.label_files import ALWAYS, FORMATS
from pastforward.data.labelled import Reading, build
from pastforward.data.labelled_source import LabelledSource
from pastforward.data.sequences import Arrays
from pastforward.data.targets import Given
from pastforward.errors import UsageError, option
from pastforward.files import expanded


def open_labelled(
    config: DataConfig, options: LabelledConfig, codec: Codec | None = None
) -> LabelledSource:
    """The labelled sequences at a path or of a name, by the scale and classes of `codec` if given.

    Raises `UsageError` for a format that has no labels, for options without a use, and for what
    `labelled` refuses.
    """
    kind = _format(config.source)
    _require_useful(config.source, kind, options)
    reading: Reading = FORMATS.load(kind)(config.source, options)
    parts = {s: _as_task(g, reading.name, config.task) for s, g in reading.parts.items()}
    known = codec if isinstance(codec, LabelCodec) else None
    return build(reading._replace(parts=parts), options, config.length, known)


def _format(source: str) -> str:
    head, path = source.partition(":")[0], expanded(source)
    for name, row in FORMATS.items():
        if head in row.names or (path.exists() and row.holds(path)):
            return name
    advice = f"give one of: {'; '.join(row.summary for row in FORMATS.values())}"
    if path.name == "mnist":
        advice = MNIST
    raise UsageError(f"'{source}' holds no labels that can be read; {advice}.")


def _require_useful(source: str, kind: str, options: LabelledConfig) -> None:
    """Refuse options that would be ignored."""
    useful = (*ALWAYS, *FORMATS[kind].options)
    for field in fields(LabelledConfig):
        if field.name not in useful and getattr(options, field.name) != field.default:
            raise UsageError(
                f"{option('data', field.name)} has no use for '{source}', which is read as: "
                f"{FORMATS[kind].summary}; leave it out."
            )


def _as_task(given: Given, name: str, task: str | None) -> Given:
    """Targets as classes or as numbers, as was asked for."""
    if task is None:
        return given
    change = _classes if task == "classify" else _numbers
    listed = isinstance(given.y, list)
    y: Arrays = [change(name, one) for one in given.y] if listed else change(name, given.y)
    return given._replace(y=y)


def _classes(name: str, y: Any) -> np.ndarray:
    y = np.asarray(y)
    if y.dtype.kind != "f":
        return y
    wrong = y[np.isfinite(y) & (y != np.round(y))]
    if len(wrong) or not np.isfinite(y).any():
        raise UsageError(
            f"'{name}' has targets such as {wrong[:1]}, which are no classes; give "
            "--data.task regress for numbers."
        )
    return np.nan_to_num(y, nan=-1).astype(np.int64)


def _numbers(name: str, y: Any) -> np.ndarray:
    y = np.asarray(y)
    try:
        return y if y.dtype.kind == "f" else y.astype(np.float64)
    except ValueError as error:
        raise UsageError(
            f"'{name}' has targets that are no numbers ({error}); give --data.task classify."
        ) from error
