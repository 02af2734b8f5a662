"""L1. Features of dates, which are known ahead: the time of day, the weekday, the time of year."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Cycle(NamedTuple):
    """What comes again: a phase in [0, 1) of each date, by its first harmonics."""

    phase: Callable[[Any], np.ndarray]
    harmonics: int


def _of_day(dates: Any) -> np.ndarray:
    return ((dates - dates.normalize()).total_seconds().to_numpy()) / 86400


def _of_week(dates: Any) -> np.ndarray:
    return dates.dayofweek.to_numpy() / 7


def _of_year(dates: Any) -> np.ndarray:
    return (dates.dayofyear.to_numpy() - 1) / 366


def _of_months(dates: Any) -> np.ndarray:
    return (dates.month.to_numpy() - 1) / 12


CALENDAR = {
    "hour": Cycle(_of_day, 4),
    "weekday": Cycle(_of_week, 3),
    "yearday": Cycle(_of_year, 2),
    "month": Cycle(_of_months, 3),
}
"""By the names that `--data.calendar` takes (`data.CYCLES`). Three harmonics tell days apart."""
_HOUR, _DAY = 3600.0, 86400.0


def step_seconds(frequency: str) -> float:
    """Length of a step; of months and business days about that."""
    import pandas

    if frequency == "B":
        return _DAY
    dates = pandas.date_range("2001-01-01", periods=13, freq=frequency)
    return float((dates[12] - dates[0]).total_seconds()) / 12


def calendar_of(frequency: str, rows: int) -> tuple[str, ...]:
    """Cycles that suit a frequency; that of the year where training rows span two of them."""
    if not frequency:
        return ()
    step = step_seconds(frequency)
    years = rows * step / (365.25 * _DAY)
    found = [
        name
        for name, longest in (("hour", _HOUR * 12), ("weekday", _DAY), ("yearday", 8 * _DAY))
        if step <= longest and (name != "yearday" or years >= 2)
    ]
    return tuple(found) if step <= 8 * _DAY else (("month",) if years >= 2 and step < 3e7 else ())


_SEASONS = (_DAY, 7 * _DAY, 365.25 * _DAY)
_LONGEST, _TIMES = 1500, 3
"""Rows of a season at most, and how often it must come in the training rows."""


def seasons_of(frequency: str, rows: int) -> tuple[int, ...]:
    """Rows of a day, a week and a year, as far as training rows hold each several times.

    A year only where it has few rows: days of the year are told by the calendar.
    """
    if not frequency:
        return ()
    step = step_seconds(frequency)
    if frequency == "B":
        found = [5]
    else:
        found = [round(season / step) for season in _SEASONS]
        found = found[:2] + [n for n in found[2:] if n <= 60]
    return tuple(n for n in sorted(set(found)) if 2 <= n <= min(_LONGEST, rows // _TIMES))


def features(names: tuple[str, ...], dates: Any) -> np.ndarray:
    """Sines and cosines `[N, E]` of the cycles named."""
    parts = []
    for name in names:
        cycle = CALENDAR[name]
        angle = 2 * math.pi * cycle.phase(dates)
        for order in range(1, cycle.harmonics + 1):
            parts += [np.sin(order * angle), np.cos(order * angle)]
    return np.stack(parts, -1) if parts else np.zeros((len(dates), 0))
