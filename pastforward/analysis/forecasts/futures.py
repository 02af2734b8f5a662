"""L4. What comes after the last row of each series, in the units of the data."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from pastforward.analysis.forecasts.backtest import Origins, history_of
from pastforward.analysis.forecasts.calibration import Calibration
from pastforward.data.encoded import Encoded
from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.scaling import ahead
from pastforward.errors import UsageError
from pastforward.inference.forecast import coupled, samples, stream_paths
from pastforward.student import Student
from pastforward.watching import watched


class Future(NamedTuple):
    """Forecast of one series, with what was there before."""

    name: str
    columns: tuple[str, ...]
    drawn: Float[np.ndarray, "paths horizon channels"]
    past: Float[np.ndarray, "rows channels"]
    """NaN where missing."""
    index: Any
    """Of past and future rows: a `pandas.DatetimeIndex`, or numbers from 0."""

    @property
    def horizon(self) -> int:
        """Rows ahead."""
        return self.drawn.shape[1]

    def quantiles(self, levels: Sequence[float]) -> Float[np.ndarray, "levels horizon channels"]:
        """Of each row ahead."""
        return np.quantile(self.drawn, levels, axis=0)


def futures(
    student: Student, codec: ForecastCodec, encoded: Sequence[Encoded], asked: Origins,
    calibration: Calibration,
) -> list[Future]:  # fmt: skip
    """A forecast of each series from its last row on.

    Raises `UsageError` for a series shorter than what the student looks back to, and where what
    is known ahead does not reach as far as the horizon.
    """
    generator = torch.Generator(student.empty.device).manual_seed(asked.seed)
    found = []
    for one in watched(encoded, "forecasting", len(encoded)):
        _require_known(one, codec, asked.horizon)
        found.append(
            future_of(student, codec, Origin(one, len(one.z)), asked, calibration, generator)
        )
    return found


class Origin(NamedTuple):
    """A series and the first row that is forecast."""

    series: Encoded
    row: int


def future_of(
    student: Student, codec: ForecastCodec, origin: Origin, asked: Origins,
    calibration: Calibration, generator: torch.Generator,
) -> Future:  # fmt: skip
    """A forecast of one series from a row on, by the rows before it."""
    one, row = origin
    length, horizon = student.signature.length, asked.horizon
    history = history_of(codec, length, one, np.array([row]), horizon)
    given = student, codec, history, horizon, asked.paths, generator
    drawn = stream_paths(*given)
    if calibration.way != "paths":
        drawn = coupled(samples(calibration.way, *given), drawn)
    mean, std = codec.scale(one.measured.name, one.measured.values)
    drawn = calibration.applied(drawn)[0] * std + mean
    past = one.measured.values[:row]
    return Future(one.measured.name, codec.columns, drawn, past, _index(codec, one, row + horizon))


def frame_of(found: Sequence[Future], codec: ForecastCodec, levels: Sequence[float]) -> Any:
    """A `pandas.DataFrame` with a row for each column of each row ahead: mean and quantiles."""
    import pandas

    parts = []
    for one in found:
        rows, mean, quantiles = len(one.past), one.drawn.mean(0), one.quantiles(levels)
        for place, column in enumerate(one.columns):
            part: dict[str, Any] = {codec.by: one.name} if codec.by else {}
            part |= {codec.time or "row": one.index[rows:], "column": column}
            part |= {"mean": mean[:, place]}
            part |= {f"{q:g}": v[:, place] for q, v in zip(levels, quantiles, strict=True)}
            parts.append(pandas.DataFrame(part))
    return pandas.concat(parts, ignore_index=True)


def default_horizon(codec: ForecastCodec) -> int:
    """Two of the shortest seasons, 24 rows where there is none."""
    return 2 * codec.seasons[0] if codec.seasons else 24


def _index(codec: ForecastCodec, one: Encoded, count: int) -> Any:
    import pandas

    if one.measured.start is None:
        return pandas.RangeIndex(count)
    return one.measured.dates(codec.frequency, count)


def _require_known(one: Encoded, codec: ForecastCodec, horizon: int) -> None:
    name = f"Series '{one.measured.name}'" if one.measured.name else "The series"
    if len(one.z) < codec.first + 1:
        raise UsageError(
            f"{name} holds {len(one.z)} rows, and the student looks back {codec.first + 1}; give "
            "more rows."
        )
    if codec.known:
        rows = len(one.z)
        given = int((~np.isnan(ahead(codec, one.measured, horizon)[rows:]).any(1)).sum())
        if given < horizon:
            raise UsageError(
                f"{name} knows {', '.join(codec.known)} of {given} rows ahead, not {horizon}; "
                "add rows to the table whose other columns are empty, or give a shorter --horizon."
            )
