"""L4. What validation rows say of a student's forecasts: how to draw them, and how wide they are.

Three ways are compared by CRPS: each row by itself, without drawn values as inputs; by paths that
are drawn row by row; and half of the samples by either. The better one of the first and the last is
taken. Then the samples of each step ahead are spread around their median so that their central 80%
cover 80% of the validation rows (split conformal prediction, Vovk et al. 2005, with a factor in
place of a margin).
"""

from dataclasses import dataclass

import numpy as np

from pastforward.analysis.forecasts.scores import INTERVAL

WAYS = "rows", "paths", "both"
"""Each row by itself, paths, and half of the samples by either."""
_NARROWEST, _WIDEST = 0.5, 3.0
"""Factors are kept between these: validation rows are few."""
_NEAR = 8
"""Steps on either side, as a part of the horizon, whose rows count for a step: one in so many."""


@dataclass(frozen=True)
class Calibration:
    """How a student's samples are made."""

    way: str = "rows"
    """One of `WAYS`."""
    spread: tuple[float, ...] = (1.0,)
    """Factor on the distance to the median of each step ahead; the last one for all further ones.
    """
    crps: tuple[float, ...] = ()
    """Of the `WAYS`, on validation rows, before samples were spread; none where one is possible."""

    def applied(self, drawn: np.ndarray) -> np.ndarray:
        """Samples `[origins, paths, horizon, C]`, spread."""
        horizon = drawn.shape[2]
        factors = np.array(self.spread)[np.minimum(np.arange(horizon), len(self.spread) - 1)]
        middle = np.median(drawn, 1, keepdims=True)
        return middle + (drawn - middle) * factors[:, None]


def spread_of(drawn: np.ndarray, real: np.ndarray) -> tuple[float, ...]:
    """Factors by step ahead, from samples and the true rows `[origins, horizon, C]`."""
    low, middle, high = np.quantile(drawn, [(1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2], axis=1)
    half = np.maximum(np.where(real > middle, high - middle, middle - low), 1e-9)
    ratio = np.abs(real - middle) / half
    horizon, found = drawn.shape[2], []
    for step in range(horizon):
        near = max(1, horizon // _NEAR)
        part = ratio[:, max(0, step - near) : step + near + 1]
        part = part[~np.isnan(part)]
        factor = float(np.quantile(part, INTERVAL)) if len(part) else 1.0
        found.append(min(_WIDEST, max(_NARROWEST, factor)))
    return tuple(found)
