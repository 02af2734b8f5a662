"""L1. Tables of numbers over time as real vectors, each predicted from those before it."""

import csv
import math
from pathlib import Path
from typing import Any, final

import numpy as np
from typing_extensions import override

from pastforward.data import DataConfig, SeriesConfig
from pastforward.data.codec import SeriesCodec
from pastforward.data.files import read_bytes
from pastforward.data.inputs import FARTHEST, spread
from pastforward.data.sampling import WindowSource, contiguous, fit_length
from pastforward.data.source import Splits
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


def open_csv(config: DataConfig, options: SeriesConfig) -> SeriesSource:
    """The chosen columns of a CSV file, or all; a first row with a word in it names them.

    Raises `UsageError` for a cell that is no finite number, a missing column, or too few rows.
    """
    path = Path(config.source).expanduser()
    names, rows = _table(path)
    for c in options.columns:
        if c not in names:
            raise UsageError(f"'{path}' has no column '{c}'; {nearest(c, names)}.")
    chosen = [names.index(c) for c in options.columns] or range(len(names))
    values = [[_number(path, number, names, row, c) for c in chosen] for number, row in rows]
    kept = tuple(names[c] for c in chosen)
    return SeriesSource(str(path), np.array(values).reshape(-1, len(kept)), kept, config.length)


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Names of the columns, and the rows with their line numbers in the file."""
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
        reader = csv.reader(lines)
        rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"'{path}' is no CSV file in UTF-8 ({error}); save it as one.") from error
    if not rows:
        raise UsageError(f"'{path}' holds no rows; give a CSV file with numbers in it.")
    first = rows[0][1]
    for number, row in rows:
        if len(row) > len(first):
            raise UsageError(
                f"'{path}' has {len(row)} cells in row {number} and {len(first)} in its first "
                "row; give every row as many."
            )
    if all(_float(cell) is not None for cell in first):
        return [str(i) for i in range(1, len(first) + 1)], rows
    return [cell.strip() for cell in first], rows[1:]


def _number(path: Path, line: int, names: list[str], row: list[str], column: int) -> float:
    cell = row[column] if column < len(row) else ""
    value = _float(cell)
    if value is None or not math.isfinite(value):
        raise UsageError(
            f"'{path}' holds '{cell}' in row {line}, column '{names[column]}', where a number "
            "belongs; mend it, or name the columns to read."
        )
    return value


def _float(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
