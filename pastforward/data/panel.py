"""L1. Tables as series on a regular axis: one or several, with what is known ahead of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from pastforward.data.tables import Table
from pastforward.data.time_axis import as_dates, extended, find_dates, regular
from pastforward.errors import UsageError, nearest


class Measured(NamedTuple):
    """One series: N rows, and A more of which only what is known ahead is there."""

    name: str
    values: Float[np.ndarray, "rows channels"]
    """NaN where missing; the last row holds a value."""
    known: Float[np.ndarray, "next known"]
    """Covariates of N + A rows."""
    static: tuple[Any, ...] = ()
    start: Any = None
    """Date of the first row, a `pandas.Timestamp`; None without dates."""

    def dates(self, frequency: str, count: int) -> Any:
        """Dates of the first `count` rows, also of those to come."""
        return extended(self.start, frequency, count)


class Names(NamedTuple):
    """Which columns of a table are what."""

    columns: tuple[str, ...]
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    time: str = ""
    by: str = ""


class Panel(NamedTuple):
    """All series of a table."""

    series: list[Measured]
    names: Names
    frequency: str = ""
    gaps: int = 0
    """Rows that dates left out."""

    @property
    def missing(self) -> int:
        """Values that are missing, those of rows left out among them."""
        return sum(int(np.isnan(one.values).sum()) for one in self.series)


def one_series(rows: Float[np.ndarray, "rows channels"], columns: tuple[str, ...]) -> Panel:
    """An array without dates."""
    return Panel([Measured("", rows, np.zeros((len(rows), 0)))], Names(columns))


def read_panel(table: Table, names: Names, where: str, frequency: str = "") -> Panel:
    """The series of a table; `frequency` is that of a series read before, if there was one.

    Raises `UsageError` for cells that are no number, columns that are missing, and dates that are
    no regular axis.
    """
    _require(table, names, where)
    frame, dates = table.frame, None
    if names.time:
        dates = _dates(frame[names.time], where, names.time)
    values = _numbers(table, names.columns)
    known = _numbers(table, names.known)
    groups = _groups(frame, names.by, where)
    found, gaps = [], 0
    for name, rows in groups:
        static = tuple(_same(frame[c].iloc[rows], c, name, where) for c in names.static)
        place = f"{where}, series '{name}'" if names.by else where
        parts = values[rows], known[rows]
        start = None
        if dates is not None:
            axis = regular(dates[rows], place, frequency)
            frequency, start = axis.frequency, axis.start
            count = int(axis.places[-1]) + 1
            gaps += count - len(rows)
            parts = _spread(axis.places, parts[0]), _spread(axis.places, parts[1])
        measured = np.flatnonzero(~np.isnan(parts[0]).all(1))
        end = int(measured[-1]) + 1 if len(measured) else 0
        found.append(Measured(name, parts[0][:end], parts[1], static, start))
    return Panel(found, names, frequency, gaps)


def names_in(frame: Any, columns: Sequence[str], others: Names, time: str = "auto") -> Names:
    """Columns of a table by their use; those predicted are all that are left where none is named.

    `time` is a column, 'auto' (the first one of words that are all dates) or 'none'.
    """
    if time in ("auto", "none"):
        time = (find_dates(frame) or "") if time == "auto" else ""
    used = {time, others.by, *others.known, *others.static}
    left = tuple(columns) or tuple(c for c in frame.columns if c not in used)
    return others._replace(columns=left, time=time)


def _require(table: Table, names: Names, where: str) -> None:
    known = list(table.frame.columns)
    for c in (*names.columns, *names.known, *names.static, names.time, names.by):
        if c and c not in known:
            raise UsageError(f"{where} has no column '{c}'; {nearest(c, known)}.")
    if not names.columns:
        raise UsageError(
            f"{where} has no column of numbers to predict; name them by --data.columns."
        )


def _dates(column: Any, where: str, name: str) -> Any:
    found = None if column.isna().any() else as_dates(column)
    if found is None:
        raise UsageError(
            f"{where} holds cells in column '{name}' that are no dates; mend them, or leave the "
            "column out by --data.time none and --data.columns."
        )
    return found


def _numbers(table: Table, columns: Sequence[str]) -> np.ndarray:
    found = [table.numbers(c, missing=True) for c in columns]
    return np.stack(found, 1) if found else np.zeros((len(table.frame), 0))


def _groups(frame: Any, by: str, where: str) -> list[tuple[str, np.ndarray]]:
    """Names of series with their rows, in the order in which they come."""
    if not by:
        return [("", np.arange(len(frame)))]
    words = frame[by].astype(str).to_numpy()
    if frame[by].isna().any():
        raise UsageError(f"{where} has rows without a name in column '{by}'; give each one.")
    return [(name, np.flatnonzero(words == name)) for name in dict.fromkeys(words.tolist())]


def _same(column: Any, name: str, series: str, where: str) -> Any:
    found = column.unique()
    if len(found) != 1:
        raise UsageError(
            f"{where} has {len(found)} values in the static column '{name}' of series '{series}'; "
            "give one a series, or name it by --data.known."
        )
    return found[0].item() if hasattr(found[0], "item") else found[0]


def _spread(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rows at their places, NaN between them."""
    found = np.full((int(places[-1]) + 1, values.shape[1]), np.nan)
    found[places] = values
    return found
