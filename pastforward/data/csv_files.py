"""L1. CSV files to a `SeriesSource`; errors name the row and column."""

import csv
import math
from pathlib import Path

import numpy as np

from pastforward.data.configs import DataConfig, SeriesConfig
from pastforward.data.files import read_bytes
from pastforward.data.series import SeriesSource
from pastforward.errors import UsageError, nearest


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
