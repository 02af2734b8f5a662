"""L1. Codecs of series: scales by training rows, and what is known ahead of each row."""

from typing import Any

import numpy as np

from pastforward.data.calendar import features
from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.inputs import spread
from pastforward.data.panel import Measured, Panel
from pastforward.errors import UsageError, nearest

_LARGEST = 1e100
_TRAINED = 0.8


def require_numbers(name: str, rows: Any, columns: tuple[str, ...], missing: bool = False) -> None:
    """Raise `UsageError` for what is no array `[N, C]` of finite numbers; NaN where `missing`."""
    if rows.ndim != 2 or rows.shape[1] != len(columns) or rows.dtype.kind not in "buif":
        raise UsageError(
            f"The series '{name}' is an array of {rows.dtype} of shape {rows.shape} with "
            f"{len(columns)} names of columns; give numbers as [N, C] and C names."
        )
    # Squares of much larger numbers overflow, and the standard deviation with them.
    wrong = np.argwhere(~(np.abs(rows) < _LARGEST) & ~(missing & np.isnan(rows)))
    if len(wrong):
        row, column = wrong[0]
        raise UsageError(
            f"The series '{name}' holds {rows[row, column]} in row {row}, column "
            f"'{columns[column]}', counted from 0; give finite numbers below {_LARGEST:g}."
        )


def training_rows(values: np.ndarray) -> np.ndarray:
    """The first 80% of the rows of a series."""
    return values[: len(values) - 2 * (len(values) // 10)]


def plain_codec(name: str, panel: Panel, **more: Any) -> ForecastCodec:
    """Scales of all that a panel holds, by its training rows; `more` are further fields."""
    names, scales = panel.names, [_scale(name, one, panel) for one in panel.series]
    known = np.concatenate([training_rows(one.known) for one in panel.series])
    known = known[~np.isnan(known).any(1)]
    wide = known.std(0) if len(known) else np.zeros(0)
    static, words = [one.static for one in panel.series], []
    for column in zip(*static, strict=True):
        told = not all(isinstance(value, int | float) for value in column)
        words.append(tuple(sorted({str(value) for value in column})) if told else ())
    return ForecastCodec(
        names.columns, tuple(one.name for one in panel.series),
        mean=tuple(tuple(mean.tolist()) for mean, _ in scales),
        std=tuple(tuple(std.tolist()) for _, std in scales),
        known=names.known, known_mean=tuple(known.mean(0).tolist()) if len(known) else (),
        known_std=tuple(np.where(wide > 0, wide, 1.0).tolist()),
        static=names.static, static_words=tuple(words), frequency=panel.frequency,
        time=names.time, by=names.by, **more,
    )  # fmt: skip


def _scale(name: str, one: Measured, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    train = training_rows(one.values)
    what = f"'{name}'" + (f", series '{one.name}'," if one.name else "")
    if not len(train) or np.isnan(train).all(0).any():
        raise UsageError(
            f"{what} holds no value in the training rows of some column; leave it out."
        )
    low, high = np.nanmin(train, 0), np.nanmax(train, 0)
    # The likelihood of a constant column has no upper bound.
    flat = [c for c, same in zip(panel.names.columns, low == high, strict=True) if same]
    if flat:
        raise UsageError(
            f"Column '{flat[0]}' of {what} never changes in the training rows; name the columns "
            "to read and leave it out."
        )
    return np.nanmean(train, 0), spread(np.nanstd(train, 0), low, high)


def ahead(codec: ForecastCodec, one: Measured, further: int = 0) -> np.ndarray:
    """Features `[N + A + further, E]` that are known before each row.

    Raises `UsageError` for words of static columns that were not trained on.
    """
    count = max(len(one.known), len(one.values)) + further
    parts = [np.zeros((count, 0))]
    if codec.calendar:
        parts.append(features(codec.calendar, one.dates(codec.frequency, count)))
    if codec.known:
        scaled = (one.known - np.array(codec.known_mean)) / np.array(codec.known_std)
        scaled = np.concatenate([scaled, np.full((count - len(scaled), len(codec.known)), np.nan)])
        parts.append(_held(scaled[: len(one.values)], scaled))
    for column, value, words in zip(codec.static, one.static, codec.static_words, strict=True):
        if words and str(value) not in words:
            raise UsageError(
                f"Series '{one.name}' has the {column} '{value}'; {nearest(str(value), words)}."
            )
        row = np.array([str(value) == word for word in words] if words else [float(value)])
        parts.append(np.broadcast_to(row.astype(float), (count, len(row))))
    return np.concatenate(parts, -1)


def _held(past: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Gaps of the past filled by the value before; those ahead stay NaN."""
    found = whole.copy()
    for row in np.flatnonzero(np.isnan(past).any(1)):
        before = found[row - 1] if row else np.zeros(whole.shape[1])
        found[row] = np.where(np.isnan(whole[row]), before, whole[row])
    return found
