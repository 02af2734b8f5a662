"""L4. Backtests: forecasts from rolling origins of test rows, beside rivals without a network."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from pastforward.analysis.forecasts.calibration import WAYS, Calibration, spread_of
from pastforward.analysis.forecasts.rivals import rivals, truth
from pastforward.analysis.forecasts.scores import Scores, crps, naive_scale, score
from pastforward.data.encoded import Encoded, row_ends
from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.scaling import ahead, training_rows
from pastforward.data.series import SeriesSource
from pastforward.errors import UsageError
from pastforward.inference.forecast import History, rows_read, samples
from pastforward.student import Student
from pastforward.watching import counting

STUDENT = "student"
_AT_ONCE = 16
"""Origins whose paths are drawn together."""
_PATHS = 50
"""Paths by which a student is calibrated, at most."""
Chosen = tuple[Encoded, np.ndarray]
"""A series, and the first row of each of its forecasts."""


@dataclass(frozen=True)
class Origins:
    """From where, how far and with how many paths."""

    horizon: int
    stride: int | None = None
    """Rows between origins; an eighth of the horizon where it is None."""
    paths: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("horizon", 1), ("stride", 1), ("paths", 2)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"--{name} is {value}; give {least} or more.")

    @property
    def step(self) -> int:
        """Rows between origins."""
        return self.stride or max(1, self.horizon // 8)


@dataclass(frozen=True)
class Backtest:
    """Scores by name: the student and its rivals, over the same values."""

    horizon: int
    origins: int
    scores: dict[str, Scores]
    by_step: dict[str, list[float]] = field(default_factory=dict)
    """MASE of each step ahead."""
    calibration: Calibration = field(default_factory=Calibration)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        return asdict(self)


def backtest(
    student: Student, source: SeriesSource, asked: Origins, calibration: Calibration | None = None
) -> Backtest:
    """Forecast the test rows from rolling origins, by `calibration` or as validation rows say.

    Raises `UsageError` where no series has a horizon of them.
    """
    codec, horizon = source.codec, asked.horizon
    calibration = calibrate(student, source, asked) if calibration is None else calibration
    chosen = _chosen(source, asked, 2)
    season = codec.seasons[0] if codec.seasons else 0
    window = max(source.signature.length, codec.seasons[-1] if codec.seasons else 1)
    others = rivals([one for one, _ in chosen], season, horizon, window)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in (STUDENT, *others)}
    real, scales = [], []
    for one, origins, paths in _drawn(student, source, asked, chosen, calibration.way):
        mean, std = codec.scale(one.measured.name, one.measured.values)
        drawn[STUDENT].append(calibration.applied(paths) * std + mean)
        for name, rival in others.items():
            drawn[name].append(rival.sample(one, origins) * std + mean)
        real.append(truth(one, origins, horizon) * std + mean)
        scale = naive_scale(training_rows(one.measured.values), season)
        scales.append(np.broadcast_to(scale, (len(origins), len(scale))))
    values, scale = np.concatenate(real), np.concatenate(scales)
    both = {name: np.concatenate(parts) for name, parts in drawn.items()}
    return Backtest(
        horizon, len(values), {name: score(one, values, scale) for name, one in both.items()},
        {name: _by_step(one, values, scale) for name, one in both.items()}, calibration,
    )  # fmt: skip


def calibrate(student: Student, source: SeriesSource, asked: Origins) -> Calibration:
    """How to draw from this student, by validation rows; as it is where they hold no horizon."""
    chosen = _chosen(source, replace(asked, paths=min(asked.paths, _PATHS)), 1, required=False)
    if not chosen:
        return Calibration(uncalibrated(source.codec))
    real = np.concatenate([truth(one, origins, asked.horizon) for one, origins in chosen])
    found = {}
    for way in WAYS[:2] if source.codec.marked else ("paths",):
        drawn = _drawn(student, source, asked, chosen, way)
        found[way] = np.concatenate([paths for _, _, paths in drawn])
    if len(found) == 2:
        found["both"] = np.concatenate([paths[:, ::2] for paths in found.values()], 1)
    losses = {way: float(np.nanmean(crps(paths, real))) for way, paths in found.items()}
    # Errors of paths alone add up, on test rows more than validation rows may show (docs/log.md).
    allowed = [way for way in losses if way != "paths"] or [*losses]
    best = min(allowed, key=losses.__getitem__)
    compared = tuple(losses.values()) if len(losses) > 1 else ()
    return Calibration(best, spread_of(found[best], real), compared)


def uncalibrated(codec: ForecastCodec) -> str:
    """The way of a student that was not calibrated."""
    return "rows" if codec.marked else "paths"


def _drawn(
    student: Student, source: SeriesSource, asked: Origins, chosen: list[Chosen], way: str
) -> Iterator[tuple[Encoded, np.ndarray, np.ndarray]]:
    """Series, origins, and standardised samples of each."""
    generator = torch.Generator(student.empty.device).manual_seed(asked.seed)
    with counting("forecasting", sum(len(origins) for _, origins in chosen)) as done:
        for one, origins in chosen:
            found = []
            for start in range(0, len(origins), _AT_ONCE):
                some = origins[start : start + _AT_ONCE]
                history = history_of(
                    source.codec, source.signature.length, one, some, asked.horizon
                )
                given = student, source.codec, history, asked.horizon
                found.append(samples(way, *given, asked.paths, generator))
                done(len(some))
            yield one, origins, np.concatenate(found)


def history_of(
    codec: ForecastCodec, length: int, one: Encoded, origins: np.ndarray, horizon: int
) -> History:
    """What a student of T = `length` reads before the rows `origins`, and knows of those ahead."""
    rows = min(rows_read(codec, length), int(origins.min()))
    known = ahead(codec, one.measured, horizon)
    return History(
        np.stack([one.z[o - rows : o] for o in origins]),
        np.stack([known[o - rows : o + horizon] for o in origins]),
        np.stack([one.seen[o - rows : o] for o in origins]),
    )


def _chosen(
    source: SeriesSource, asked: Origins, split: int, required: bool = True
) -> list[Chosen]:
    """Series with the first rows of forecasts that lie in a split as a whole."""
    least, found = source.codec.first + 2, []
    for one in source.encoded:
        ends = (*row_ends(len(one.z)), len(one.z))
        origins = np.arange(ends[split - 1], ends[split] - asked.horizon + 1, asked.step)
        if len(origins := origins[origins >= least]):
            found.append((one, origins))
    if required and not found:
        rows = max(len(one.z) for one in source.encoded)
        raise UsageError(
            f"No series has {asked.horizon} rows to forecast among its last 10% ({rows} rows in "
            "all); give a shorter --horizon, or more rows."
        )
    return found


def _by_step(drawn: np.ndarray, values: np.ndarray, scale: np.ndarray) -> list[float]:
    errors = np.abs(np.median(drawn, 1) - values) / scale[:, None]
    return [float(x) for x in np.nanmean(errors, (0, 2))]
