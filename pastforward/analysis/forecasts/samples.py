"""L4. Forecasts of test rows beside what came, for people to look at."""

from dataclasses import dataclass

import numpy as np
import torch

from pastforward.analysis.forecasts.backtest import Origins, uncalibrated
from pastforward.analysis.forecasts.calibration import Calibration
from pastforward.analysis.forecasts.futures import Future, Origin, default_horizon, future_of
from pastforward.baselines.base import Network
from pastforward.data.encoded import row_ends
from pastforward.data.series import SeriesSource
from pastforward.student import Student

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_SERIES, _PATHS = 3, 100


@dataclass(frozen=True)
class SeriesSamples:
    """Of the first series, from their first test row on."""

    futures: list[Future]
    truths: list[np.ndarray]
    """`[horizon, C]` of each; NaN where missing."""


def series_samples(network: Network, source: SeriesSource, seed: int = 0) -> SeriesSamples | None:
    """A few forecasts, as wide as the network draws them; None for a baseline."""
    if not isinstance(network, Student):
        return None
    codec, found, truths = source.codec, [], []
    generator = torch.Generator(network.empty.device).manual_seed(seed)
    for one in source.encoded[:_SERIES]:
        row = row_ends(len(one.z))[1]
        horizon = min(default_horizon(codec), len(one.z) - row)
        if row <= codec.first or horizon < 1:
            continue
        asked = Origins(horizon, paths=_PATHS)
        way = Calibration(uncalibrated(codec))
        found.append(future_of(network, codec, Origin(one, row), asked, way, generator))
        truths.append(one.measured.values[row : row + horizon])
    return SeriesSamples(found, truths) if found else None
