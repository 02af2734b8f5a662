"""L4. Scores of forecasts that are samples, in the units of the data; missing values don't count.

MAE       of the median               MSE   of the mean
MASE      MAE over that of the seasonal naive forecast one step ahead on the training rows
          (Hyndman & Koehler 2006), the mean over series and columns
CRPS      E|X - y| - E|X - X'| / 2, by the samples (Gneiting & Raftery 2007)
coverage  share of values within the central 80% of the samples
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

INTERVAL = 0.8
"""The central interval whose coverage is measured."""


@dataclass(frozen=True)
class Scores:
    """Means over all values that count."""

    mae: float
    mse: float
    mase: float
    crps: float
    coverage: float


Truth = Float[np.ndarray, "origins horizon channels"]
Drawn = Float[np.ndarray, "origins paths horizon channels"]


def score(drawn: Drawn, truth: Truth, scale: Float[np.ndarray, "origins channels"]) -> Scores:
    """Scores of samples; `scale` is what MASE divides each origin's errors by."""
    counts = ~np.isnan(truth)
    error = np.abs(np.median(drawn, 1) - truth)
    low, high = np.quantile(drawn, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2], axis=1)
    square = (drawn.mean(1) - truth) ** 2
    return Scores(
        mae=_mean(error, counts), mse=_mean(square, counts),
        mase=_mean(error / scale[:, None], counts), crps=_mean(crps(drawn, truth), counts),
        coverage=_mean(((low <= truth) & (truth <= high)).astype(float), counts),
    )  # fmt: skip


def crps(drawn: Drawn, truth: Truth) -> Truth:
    """Of each value; the second term over different samples only, which leaves it without bias."""
    ordered = np.sort(drawn, 1)
    count = drawn.shape[1]
    rank = 2.0 * np.arange(1, count + 1) - count - 1
    spread = (ordered * rank[:, None, None]).sum(1) / max(1, count * (count - 1))
    return np.abs(drawn - truth[:, None]).mean(1) - spread


def naive_scale(
    values: Float[np.ndarray, "rows channels"], season: int
) -> Float[np.ndarray, " channels"]:
    """Mean absolute change of training rows over a season, or from row to row; NaN is left out."""
    lag = season if 0 < season < len(values) else 1
    change = np.abs(values[lag:] - values[:-lag])
    found = np.nanmean(change, 0)
    return np.where(found > 0, found, 1.0)


def _mean(values: np.ndarray, counts: np.ndarray) -> float:
    return float(values[counts].mean())
