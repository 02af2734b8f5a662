"""L1. Dates of rows: which column holds them, how far apart they are, and where some are missing.

A frequency is that of pandas: 'h', '15min', 'D', 'B' (Monday to Friday), '7D', 'MS' and 'ME' (first
and last days of months), '3MS' (quarters).
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pastforward.errors import UsageError

_RUN = 3
"""Equal steps in a row that are no gap, but another frequency."""
_MONTH, _DAY = 28, 24 * 3600 * 10**9


class Axis(NamedTuple):
    """Rows of one series on a regular axis."""

    start: Any
    """A `pandas.Timestamp`."""
    frequency: str
    places: np.ndarray
    """`[N]`, of each row on the axis, from 0."""


def as_dates(values: Any) -> Any:
    """A column as dates without a time zone, `pandas.DatetimeIndex` `[N]`, or None if it is none.

    Whole numbers from 1e9 up are seconds, from 1e12 up milliseconds since 1970.
    """
    import pandas

    if values.dtype.kind in "iu":
        unit = "s" if values.min() >= 10**9 else None
        unit = "ms" if values.min() >= 10**12 else unit
        if unit is None:
            return None
        return pandas.DatetimeIndex(pandas.to_datetime(values, unit=unit)).as_unit("ns")
    if values.dtype.kind in "fcb":
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the format can't be inferred
        try:
            found = pandas.DatetimeIndex(pandas.to_datetime(values, utc=True))
            return found.tz_localize(None).as_unit("ns")
        except (ValueError, TypeError, OverflowError):  # years before 1678 are none of ns, either
            return None


def find_dates(frame: Any) -> str | None:
    """The first column that holds words, all of them dates."""
    for name in frame.columns:
        column = frame[name]
        if not len(column) or column.dtype.kind in "iufcb" or column.isna().any():
            continue
        if as_dates(column.iloc[:20]) is not None and as_dates(column) is not None:
            return str(name)
    return None


def regular(dates: Any, where: str, frequency: str = "") -> Axis:
    """Places of rows on a regular axis, of `frequency` where it is known.

    Raises `UsageError` for dates that go back or come twice, are too few, or have no common step.
    """
    _require_rising(dates, where)
    if len(dates) < 2 and not frequency:
        raise UsageError(f"{where} holds {len(dates)} dates; give two or more.")
    name, places = _places(dates, frequency)
    whole = np.rint(places).astype(np.int64)
    steps = np.diff(places)
    _require_one(dates, steps, where)
    if np.abs(places - whole).max() > 1e-6:
        row = int(np.argmax(np.abs(places - whole) > 1e-6))
        raise UsageError(
            f"{where} has steps of {name} between most dates, and {dates[row]} lies between two of "
            "them; give rows at one regular step, averaging them first if need be."
        )
    return Axis(dates[0], name, whole)


def extended(start: Any, frequency: str, count: int) -> Any:
    """`count` dates of an axis, from its start."""
    import pandas

    return pandas.date_range(start, periods=count, freq=frequency)


def _require_rising(dates: Any, where: str) -> None:
    steps = np.diff(dates.asi8)
    wrong = np.flatnonzero(steps <= 0)
    if len(wrong):
        row = int(wrong[0]) + 1
        what = "comes twice" if steps[wrong[0]] == 0 else f"comes after {dates[row - 1]}"
        raise UsageError(
            f"{where} has dates that don't rise: {dates[row]} {what}; sort the rows, or name the "
            "column that tells several series apart by --data.series."
        )


def _places(dates: Any, frequency: str) -> tuple[str, np.ndarray]:
    """Frequency and place of each date, which is whole where dates are regular."""
    import pandas

    steps = np.diff(dates.asi8)
    base = int(_most_common(steps)) if len(steps) else 0
    months = frequency.endswith(("MS", "ME")) or (not frequency and base >= _MONTH * _DAY)
    if months and (frequency or set(steps // _DAY) <= set(range(_MONTH, 400))):
        return _months(dates, frequency)
    weekdays = not frequency and base == _DAY and len(dates) >= 10 and dates.dayofweek.max() < 5
    if frequency == "B" or weekdays:
        days = dates.values.astype("datetime64[D]")
        return "B", np.busday_count(days[0], days).astype(float)
    if frequency:
        one = extended(dates[0], frequency, 2)
        step = (one[1] - one[0]).total_seconds()
        return frequency, (dates - dates[0]).total_seconds().to_numpy() / step
    days, rest = divmod(base, _DAY)
    offset: Any = pandas.Timedelta(base, unit="ns")
    name = pandas.tseries.frequencies.to_offset(offset).freqstr
    if not rest:
        name = f"{days}D" if days > 1 else "D"
    return name, (dates.asi8 - dates.asi8[0]) / base


def _months(dates: Any, frequency: str) -> tuple[str, np.ndarray]:
    ordinal = dates.year.to_numpy() * 12 + dates.month.to_numpy()
    steps = np.diff(ordinal)
    count = int(_most_common(steps)) if len(steps) else 1
    if frequency:
        count = int(frequency[:-2] or 1)
    last = "ME" if dates.is_month_end.all() else "MS"
    name = frequency or (f"{count}{last}" if count > 1 else last)
    return name, (ordinal - ordinal[0]) / count


def _most_common(steps: Sequence[int] | np.ndarray) -> int:
    found, counts = np.unique(np.asarray(steps), return_counts=True)
    return int(found[np.argmax(counts)])


def _require_one(dates: Any, steps: np.ndarray, where: str) -> None:
    """Refuse rows of two frequencies: equal steps in a row that are none of the common one."""
    other = (np.abs(steps - 1) > 1e-6).astype(int)
    for row in range(len(steps) - _RUN + 1):
        part = steps[row : row + _RUN]
        if other[row : row + _RUN].all() and np.ptp(part) < 1e-6:
            common = int(np.flatnonzero(1 - other)[0]) if not other.all() else 0
            raise UsageError(
                f"{where} has two frequencies: steps of {dates[row + 1] - dates[row]} from "
                f"{dates[row]} on, and of {dates[common + 1] - dates[common]} elsewhere; give rows "
                "at one step, or files of their own."
            )
