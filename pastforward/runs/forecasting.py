"""L6. Forecasts and backtests of a run on series, and the files that they write."""

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pastforward.analysis.forecasts.backtest import Backtest, Origins, backtest, calibrate
from pastforward.analysis.forecasts.calibration import Calibration
from pastforward.analysis.forecasts.futures import Future, default_horizon, frame_of, futures
from pastforward.data import SeriesConfig
from pastforward.data.encoded import Encoded, encode
from pastforward.data.files import table_at
from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.series import SeriesSource
from pastforward.data.series_tables import panel_of
from pastforward.data.tables import read_delimited
from pastforward.errors import UsageError
from pastforward.files import from_json, write_atomically, write_json
from pastforward.report.charts import save_figure
from pastforward.report.forecast_charts import fan
from pastforward.runs.opening import Run, open_run
from pastforward.student import Student


@dataclass(frozen=True)
class ForecastRequest:
    """How far, and what of it is written."""

    horizon: int | None = None
    """Rows ahead; two of the shortest seasons when None."""
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    paths: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        rising = sorted(set(self.quantiles))
        if not rising or list(self.quantiles) != rising or not 0 < rising[0] <= rising[-1] < 1:
            raise UsageError(
                f"--quantiles is {self.quantiles}; give rising levels between 0 and 1, as in "
                "0.1 0.5 0.9."
            )

    def origins(self, codec: ForecastCodec) -> Origins:
        """With the horizon that suits the data where none was asked for."""
        horizon = default_horizon(codec) if self.horizon is None else self.horizon
        return Origins(horizon, paths=self.paths, seed=self.seed)


@dataclass(frozen=True)
class Forecast:
    """What `forecast` found, and where it lies."""

    futures: list[Future]
    frame: Any
    """A `pandas.DataFrame`, as in the file."""
    table: Path
    picture: Path


def forecast(
    run: Run | str, asked: ForecastRequest, file: Path | None = None, out: Path | None = None,
    how: tuple[Collection[str], str | None, bool] = ((), None, False),
) -> Forecast:  # fmt: skip
    """Forecast what follows the run's series, or those of another file, into a CSV and a PNG.

    `how` is as the last arguments of `open_run`. Raises `UsageError` for a run that is none of
    series, and a file that can't be read as its series were.
    """
    run = run if isinstance(run, Run) else open_run(run, *how)
    student, codec = _series_student(run, "forecast")
    origins = asked.origins(codec)
    calibration = _calibration(run, student, origins)
    encoded = _source(run).encoded if file is None else _read(run, codec, file)
    found = futures(student, codec, encoded, origins, calibration)
    frame = frame_of(found, codec, asked.quantiles)
    table = out or run.path / "forecast.csv"
    picture = table.with_suffix(".png")
    if picture == table:
        raise UsageError(f"--out is '{table}', a picture; name the table, as in forecast.csv.")
    write_atomically(table, frame.to_csv(index=False).encode())
    save_figure(picture, fan(found, asked.quantiles))
    return Forecast(found, frame, table, picture)


def run_backtest(run: Run, asked: ForecastRequest, stride: int | None = None) -> Backtest:
    """Forecasts from rolling origins of the test rows; figures go to RUN/backtest.json.

    Raises `UsageError` for a run that is none of series, and too few rows for the horizon.
    """
    student, codec = _series_student(run, "backtest")
    origins = replace(asked.origins(codec), stride=stride)
    calibration = _calibration(run, student, origins)
    found = backtest(student, _source(run), origins, calibration)
    write_json(backtest_path(run), found.to_json())
    return found


def backtest_path(run: Run) -> Path:
    """Where `run_backtest` writes."""
    return run.path / "backtest.json"


def _series_student(run: Run, command: str) -> tuple[Student, ForecastCodec]:
    if not isinstance(run.codec, ForecastCodec):
        raise UsageError(
            f"{run.path} was trained on no series of numbers; `{command}` is for runs on tables."
        )
    if not isinstance(run.student, Student):
        raise UsageError(f"{run.path} holds a baseline, which has no memory to stream.")
    return run.student, run.codec


def _source(run: Run) -> SeriesSource:
    source = run.source
    assert isinstance(source, SeriesSource)
    return source


def _calibration(run: Run, student: Student, origins: Origins) -> Calibration:
    """That of the run for this horizon, from its validation rows; kept beside the student."""
    path = run.path / "calibration.json"
    try:
        kept = json.loads(path.read_text())
        known = kept if isinstance(kept, dict) else {}
    except (OSError, ValueError):
        known = {}
    key = str(origins.horizon)
    try:
        return from_json(Calibration, known[key])
    except (KeyError, ValueError):
        found = calibrate(student, _source(run), replace(origins, seed=0))
    with suppress(UsageError):  # a folder that can only be read: it is measured again next time
        write_json(path, known | {key: asdict(found)})
    return found


def _read(run: Run, codec: ForecastCodec, file: Path) -> Sequence[Encoded]:
    """The series of a file, by the columns and scales of the run."""
    if not file.exists():
        raise UsageError(f"There is no file '{file}'; check the path.")
    options = run.config.data.options
    options = options if isinstance(options, SeriesConfig) else SeriesConfig()
    table = read_delimited(table_at(file), options.header, missing=True)
    return [encode(codec, one) for one in panel_of(table, options, codec).series]
