"""L4. Backtests: forecasts from rolling origins of the test rows, beside rivals without a network."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from pastforward.analysis.forecasts.rivals import Rival, rivals, truth
from pastforward.analysis.forecasts.scores import Scores, naive_scale, score
from pastforward.data.scaling import ahead, training_rows
from pastforward.data.series import Encoded, SeriesSource, row_ends
from pastforward.errors import UsageError
from pastforward.inference.forecast import History, rows_read, sample_rows, stream_paths
from pastforward.student import Student
from pastforward.watching import counting

STUDENT = "student"
_AT_ONCE = 16
"""Origins whose paths are drawn together."""


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

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        return asdict(self)


def backtest(student: Student, source: SeriesSource, asked: Origins, split: int = 2) -> Backtest:
    """Forecast the test rows (those of `split` 1 or 2) from rolling origins.

    Raises `UsageError` where no series has a horizon of them.
    """
    codec, horizon = source.codec, asked.horizon
    season = codec.seasons[0] if codec.seasons else 0
    back = rows_read(codec, source.signature.length)
    window = max(source.signature.length, codec.seasons[-1] if codec.seasons else 1)
    chosen = [(one, _origins(one, asked, split, codec.first + 2)) for one in source.encoded]
    chosen = [(one, origins) for one, origins in chosen if len(origins)]
    if not chosen:
        rows = max(len(one.z) for one in source.encoded)
        raise UsageError(
            f"No series has {horizon} rows to forecast among its last 10% ({rows} rows in all); "
            "give a shorter --horizon, or more rows."
        )
    others = rivals([one for one, _ in chosen], season, horizon, window)
    total = sum(len(origins) for _, origins in chosen)
    generator = torch.Generator(student.empty.device).manual_seed(asked.seed)
    drawn: dict[str, list[np.ndarray]] = {STUDENT: [], **{name: [] for name in others}}
    real, scales = [], []
    with counting("forecasting", total) as done:
        for one, origins in chosen:
            mean, std = codec.scale(one.measured.name, one.measured.values)
            scale = naive_scale(training_rows(one.measured.values), season)
            for name, found in _forecasts(student, source, one, origins, others, asked, generator, back):
                drawn[name].append(found * std + mean)
            real.append(truth(one, origins, horizon) * std + mean)
            scales.append(np.broadcast_to(scale, (len(origins), len(scale))))
            done(len(origins))
    values, scale = np.concatenate(real), np.concatenate(scales)
    both = {name: np.concatenate(parts) for name, parts in drawn.items()}
    scores = {name: score(samples, values, scale) for name, samples in both.items()}
    steps = {name: _by_step(samples, values, scale) for name, samples in both.items()}
    return Backtest(horizon, total, scores, steps)


def _forecasts(
    student: Student, source: SeriesSource, one: Encoded, origins: np.ndarray,
    others: dict[str, Rival], asked: Origins, generator: torch.Generator, back: int,
) -> Iterator[tuple[str, np.ndarray]]:  # fmt: skip
    yield STUDENT, forecast(student, source, one, origins, asked, generator, back)
    for name, rival in others.items():
        yield name, rival.sample(one, origins)


def forecast(
    student: Student, source: SeriesSource, one: Encoded, origins: np.ndarray, asked: Origins,
    generator: torch.Generator, back: int,
) -> np.ndarray:  # fmt: skip
    """Paths `[origins, paths, horizon, C]`, standardised, of rows from each origin on."""
    codec, found = source.codec, []
    known = ahead(codec, one.measured, max(0, asked.horizon))
    for start in range(0, len(origins), _AT_ONCE):
        some = origins[start : start + _AT_ONCE]
        rows = min(back, int(some.min()))
        z = np.stack([one.z[o - rows : o] for o in some])
        seen = np.stack([known[o - rows : o + asked.horizon] for o in some])
        history = History(z, seen, np.stack([one.seen[o - rows : o] for o in some]))
        make = sample_rows if codec.marked else stream_paths
        found.append(make(student, codec, history, asked.horizon, asked.paths, generator))
    return np.concatenate(found)


def _origins(one: Encoded, asked: Origins, split: int, least: int) -> np.ndarray:
    """First rows of forecasts that lie in a split as a whole."""
    ends = (*row_ends(len(one.z)), len(one.z))
    found = np.arange(ends[split - 1], ends[split] - asked.horizon + 1, asked.step)
    return found[found >= least]


def _by_step(drawn: np.ndarray, values: np.ndarray, scale: np.ndarray) -> list[float]:
    errors = np.abs(np.median(drawn, 1) - values) / scale[:, None]
    return [float(x) for x in np.nanmean(errors, (0, 2))]
