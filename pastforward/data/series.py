"""L1. Tables of numbers over time as real vectors, each predicted from those before it."""

import math
from pathlib import Path
from typing import Any, final

import numpy as np
from typing_extensions import override

from pastforward.data import DataConfig, SeriesConfig
from pastforward.data.codec import Codec, SeriesCodec
from pastforward.data.files import table_at
from pastforward.data.inputs import FARTHEST, spread
from pastforward.data.sampling import WindowSource, contiguous, fit_length
from pastforward.data.source import Splits
from pastforward.data.tables import read_delimited
from pastforward.errors import UsageError, nearest
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
        self, name: str, rows: np.ndarray, columns: tuple[str, ...], length: int | None = None,
        how: str = "", codec: SeriesCodec | None = None,
    ) -> None:  # fmt: skip
        """`rows` `[N, C]`; `how` tells people how they were read.

        `codec` is that of a series that a network was trained on, and scales this one alike; by its
        own training rows when None. Raises `UsageError` when rows are too few or not all finite,
        where the codec has other columns, or a column to find the scale of is constant.
        """
        _check_rows(name, rows, columns)
        splits = contiguous(rows)
        length = fit_length(f"The series '{name}'", splits, length, "rows")
        codec = _standard(name, splits.train, columns) if codec is None else codec
        if codec.columns != columns:
            raise UsageError(
                f"The series '{name}' has the columns {', '.join(columns)}, not those of the codec "
                f"given, {', '.join(codec.columns)}; give the same ones."
            )
        kind = Vectors(len(columns))
        super().__init__(name, Signature(kind, kind, length), codec)
        self.splits, self._how = Splits(*map(codec.encode, splits)), how
        _require_near(name, rows, codec)

    @override
    def references(self) -> dict[str, float]:
        # One Gaussian per channel, fitted to the training rows.
        mean, std = self.splits.train.mean(0), self.splits.train.std(0)
        errors = (self.test_outputs() - mean) / std
        loss = 0.5 * errors**2 + np.log(std) + 0.5 * math.log(2 * math.pi)
        return {"gaussian": float(loss.sum(1).mean())}

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": f"{self.name}, standardised by its training rows",
            "kind": "series",
            "columns": list(self.codec.columns),
            "table": self._how,
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
    std = spread(std, train.min(0), train.max(0))
    return SeriesCodec(columns, tuple(mean.tolist()), tuple(std.tolist()))


def _require_near(name: str, rows: np.ndarray, codec: SeriesCodec) -> None:
    """Refuse held-out rows that have no finite loss."""
    far = np.argwhere(np.abs(codec.encode(rows)) > FARTHEST)
    if len(far):
        row, column = far[0]
        raise UsageError(
            f"The series '{name}' holds {rows[row, column]} in row {row}, column "
            f"'{codec.columns[column]}', counted from 0, more than {FARTHEST:g} standard "
            "deviations from the training rows; mend it or leave it out."
        )


def open_csv(config: DataConfig, options: SeriesConfig, codec: Codec | None = None) -> SeriesSource:
    """The chosen columns of a .csv or .tsv file, those of `codec` and by its scale, or all.

    Raises `UsageError` for a cell that is no finite number, a missing column, or too few rows.
    """
    table = read_delimited(table_at(Path(config.source).expanduser()), options.header)
    known, saved = list(table.frame.columns), codec if isinstance(codec, SeriesCodec) else None
    kept = saved.columns if saved else options.columns or tuple(known)
    for c in kept:
        if c not in known:
            raise UsageError(f"'{table.path}' has no column '{c}'; {nearest(c, known)}.")
    rows = np.stack([table.numbers(c) for c in kept], 1)
    return SeriesSource(str(table.path), rows, kept, config.length, table.how, saved)
