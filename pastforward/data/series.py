"""L1. Columns of numbers over time as real vectors, each predicted from those before it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from pastforward.data.codec import SeriesCodec
from pastforward.data.references import gaussian_reference
from pastforward.data.sampling import contiguous
from pastforward.data.source import Source, Splits
from pastforward.data.windows import Windows, fit_length
from pastforward.errors import UsageError
from pastforward.types import Batch, Signature, Vectors

_LARGEST = 1e100


class SeriesSource(Source):
    """Final. x_t is a row of columns, y_t = x_{t+1}; rows are split 90/5/5 in their order."""

    codec: SeriesCodec

    def __init__(
        self, name: str, rows: np.ndarray, columns: tuple[str, ...], length: int | None
    ) -> None:
        """`rows` `[N, C]`; UsageError when too few, not all finite, or a column is flat."""
        _check_rows(name, rows, columns)
        splits = contiguous(rows)
        length = fit_length(f"The series '{name}'", splits, length, "rows")
        codec = _standard(name, splits.train, columns)
        kind = Vectors(len(columns))
        super().__init__(name, Signature(kind, kind, length), codec)
        self._windows = Windows(Splits(*map(codec.encode, splits)), length)

    def batch(self, seed: int, index: int, size: int) -> Batch:
        """See `Source`: x and y are float32 `[B, T, C]`."""
        return _sequences(self._windows.random(seed, index, size))

    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """See `Source`."""
        return map(_sequences, self._windows.held_out(split, size, limit))

    def references(self) -> dict[str, float]:
        """See `Source`: 'gaussian', for standardised columns."""
        splits = self._windows.splits
        return gaussian_reference(splits.train, self._windows.targets(splits.test))

    def describe(self) -> dict[str, Any]:
        """See `Source`; training windows overlap, so only held-out splits have a count."""
        splits = self._windows.splits._asdict()
        counts = {k: self._windows.count(v) for k, v in splits.items()}
        return {
            "name": self.name,
            "origin": f"{self.name}, standardised by its training rows",
            "kind": "series",
            "columns": list(self.codec.columns),
            "rows": {k: len(v) for k, v in splits.items()},
            "sequences": counts | {"train": None},
        }


def _check_rows(name: str, rows: np.ndarray, columns: tuple[str, ...]) -> None:
    if rows.ndim != 2 or rows.shape[1] != len(columns) or rows.dtype.kind not in "buif":
        raise UsageError(
            f"The series '{name}' is an array of {rows.dtype} of shape {rows.shape} with "
            f"{len(columns)} names of columns; give numbers as [N, C] and C names."
        )
    # Squares of much larger numbers overflow, and take the deviation with them.
    wrong = np.argwhere(~(np.abs(rows) < _LARGEST))
    if len(wrong):
        row, column = wrong[0]
        raise UsageError(
            f"The series '{name}' holds {rows[row, column]} in row {row}, column "
            f"'{columns[column]}', counted from 0; give finite numbers below {_LARGEST:g}."
        )


def _standard(name: str, train: np.ndarray, columns: tuple[str, ...]) -> SeriesCodec:
    mean, std = train.mean(0), train.std(0)
    # A column that never changes has a likelihood without limit.
    flat = [c for c, one in zip(columns, np.ptp(train, axis=0) == 0, strict=True) if one]
    if flat:
        raise UsageError(
            f"Column '{flat[0]}' of '{name}' never changes in the training rows; name the columns "
            "to read and leave it out."
        )
    return SeriesCodec(columns, tuple(mean.tolist()), tuple(std.tolist()))


def _sequences(windows: np.ndarray) -> Batch:
    s = torch.from_numpy(windows.astype(np.float32))
    x, y = s[:, :-1].contiguous(), s[:, 1:].contiguous()
    return Batch(x, y, torch.ones(x.shape[:2], dtype=torch.bool))
