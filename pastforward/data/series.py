"""L1. Columns of numbers over time as real vectors, each predicted from those before it."""

from typing import Any, final

import numpy as np
from typing_extensions import override

from pastforward.data.codec import SeriesCodec
from pastforward.data.references import gaussian_reference
from pastforward.data.sampling import contiguous
from pastforward.data.source import Splits
from pastforward.data.windows import WindowSource, fit_length
from pastforward.errors import UsageError
from pastforward.types import Signature, Vectors

_LARGEST = 1e100


@final
class SeriesSource(WindowSource):
    """Series: x_t is a row, standardised, y_t the next one; rows are split 90/5/5 in their order.

    x and y are float32 `[B, T, C]`.
    """

    codec: SeriesCodec
    dtype = np.float32

    def __init__(
        self, name: str, rows: np.ndarray, columns: tuple[str, ...], length: int | None = None
    ) -> None:
        """`rows` `[N, C]`.

        Raises `UsageError` when they are too few or not all finite, or a column is constant.
        """
        _check_rows(name, rows, columns)
        splits = contiguous(rows)
        length = fit_length(f"The series '{name}'", splits, length, "rows")
        codec = _standard(name, splits.train, columns)
        kind = Vectors(len(columns))
        super().__init__(name, Signature(kind, kind, length), codec)
        self.splits = Splits(*map(codec.encode, splits))

    @override
    def references(self) -> dict[str, float]:
        return gaussian_reference(self.splits.train, self.test_outputs())

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": f"{self.name}, standardised by its training rows",
            "kind": "series",
            "columns": list(self.codec.columns),
            "rows": {k: len(v) for k, v in self.splits._asdict().items()},
            "sequences": self.sequence_counts(),
        }


def _check_rows(name: str, rows: np.ndarray, columns: tuple[str, ...]) -> None:
    if rows.ndim != 2 or rows.shape[1] != len(columns) or rows.dtype.kind not in "buif":
        raise UsageError(
            f"The series '{name}' is an array of {rows.dtype} of shape {rows.shape} with "
            f"{len(columns)} names of columns; give numbers as [N, C] and C names."
        )
    # Squares of much larger numbers overflow, and the standard deviation with them.
    wrong = np.argwhere(~(np.abs(rows) < _LARGEST))
    if len(wrong):
        row, column = wrong[0]
        raise UsageError(
            f"The series '{name}' holds {rows[row, column]} in row {row}, column "
            f"'{columns[column]}', counted from 0; give finite numbers below {_LARGEST:g}."
        )


def _standard(name: str, train: np.ndarray, columns: tuple[str, ...]) -> SeriesCodec:
    mean, std = train.mean(0), train.std(0)
    # The likelihood of a constant column has no upper bound.
    flat = [c for c, one in zip(columns, np.ptp(train, axis=0) == 0, strict=True) if one]
    if flat:
        raise UsageError(
            f"Column '{flat[0]}' of '{name}' never changes in the training rows; name the columns "
            "to read and leave it out."
        )
    return SeriesCodec(columns, tuple(mean.tolist()), tuple(std.tolist()))
