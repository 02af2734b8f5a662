"""L4. Forecasts without a network: the last value, the last season, and a linear map of a window.

Each gives one path; its distribution is that path and the errors it made at each step ahead on
validation rows, in quantiles.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from pastforward.data.encoded import Encoded, row_ends

QUANTILES = 99
"""Of the errors on validation rows, as samples."""
_ALPHAS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Strengths of the ridge, relative to the mean square of a window."""
_MOST = 20_000
"""Windows that a linear map is fitted on."""

Path = Float[np.ndarray, "origins horizon channels"]
Forecast = Callable[[Encoded, np.ndarray], Path]
"""From a series and the first row of each forecast to standardised paths."""


class Rival(NamedTuple):
    """A forecast and its errors on validation rows `[QUANTILES, horizon, C]`."""

    forecast: Forecast
    errors: np.ndarray

    def sample(self, one: Encoded, origins: np.ndarray) -> np.ndarray:
        """`[origins, QUANTILES, horizon, C]`, standardised."""
        return self.forecast(one, origins)[:, None] + self.errors


def rivals(encoded: list[Encoded], season: int, horizon: int, window: int) -> dict[str, Rival]:
    """By name; `season` is 0 where there is none, and then seasonal naive is naive."""
    found: dict[str, Forecast] = {
        "naive": lambda one, origins: _repeated(one, origins, 1, horizon),
        "seasonal naive": lambda one, origins: _repeated(one, origins, season or 1, horizon),
        "ridge": _ridge(encoded, horizon, window),
    }
    return {name: Rival(make, _errors(encoded, make, horizon)) for name, make in found.items()}


def truth(one: Encoded, origins: np.ndarray, horizon: int) -> Path:
    """Standardised rows from each origin on; NaN where missing, or beyond the last one."""
    measured = ~np.isnan(one.measured.values)
    z = np.where(measured, one.z, np.nan)
    padded = np.concatenate([z, np.full((horizon, z.shape[1]), np.nan)])
    return padded[origins[:, None] + np.arange(horizon)]


def _repeated(one: Encoded, origins: np.ndarray, season: int, horizon: int) -> Path:
    season = min(season, int(origins.min()))
    ahead = np.arange(horizon) % season
    return one.z[origins[:, None] - season + ahead]


def _errors(encoded: list[Encoded], forecast: Forecast, horizon: int) -> np.ndarray:
    found = []
    for one in encoded:
        train, valid = row_ends(len(one.z))
        origins = np.arange(train, max(train + 1, valid - horizon + 1))
        real = truth(one, origins, horizon)
        real[:, :] = np.where(
            (origins[:, None] + np.arange(horizon) < valid)[..., None], real, np.nan
        )
        found.append(real - forecast(one, origins))
    errors = np.concatenate(found)
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    # A step that no validation row lies at has the errors of the one before.
    for step in range(horizon):
        if np.isnan(errors[:, step]).all(0).any():
            errors[:, step] = errors[:, step - 1] if step else 0.0
    return np.nanquantile(errors, levels, axis=0)


def _ridge(encoded: list[Encoded], horizon: int, window: int) -> Forecast:
    """From the last `window` rows to all of the horizon, relative to the last row.

    Its strength is the best of `_ALPHAS` on validation rows.
    """
    shortest = min(row_ends(len(one.z))[0] for one in encoded)
    window = max(1, min(window, shortest // 2))
    horizon_fit = max(1, min(horizon, shortest - window))
    x, y = (np.concatenate(part) for part in zip(
        *(_pairs(one, window, horizon_fit, *_fitting(one, window, horizon_fit)) for one in encoded),
        strict=True))  # fmt: skip
    if len(x) > _MOST:
        kept = np.random.default_rng(0).choice(len(x), _MOST, replace=False)
        x, y = x[kept], y[kept]
    whole = [y]  # a map to fewer steps repeats its last one
    square, cross = x.T @ x, x.T @ np.concatenate(whole, 1)
    size = np.trace(square) / len(square)
    maps = [
        np.linalg.solve(square + alpha * size * np.eye(len(square)), cross) for alpha in _ALPHAS
    ]

    def forecast(weights: np.ndarray) -> Forecast:
        def of(one: Encoded, origins: np.ndarray) -> Path:
            seen, last = _windows(one, origins, window)
            path = (seen @ weights).reshape(len(origins), horizon_fit, -1)
            extra = np.repeat(path[:, -1:], horizon - horizon_fit, 1)
            return last[:, None] + np.concatenate([path, extra], 1)

        return of

    tried = [forecast(weights) for weights in maps]
    return min(tried, key=lambda one: _validated(encoded, one, horizon, window))


def _validated(encoded: list[Encoded], forecast: Forecast, horizon: int, window: int) -> float:
    errors = []
    for one in encoded:
        train, valid = row_ends(len(one.z))
        origins = np.arange(train, max(train + 1, valid - horizon + 1))
        wrong = np.abs(truth(one, origins, horizon) - forecast(one, origins))
        errors.append(wrong[~np.isnan(wrong)])
    return float(np.concatenate(errors).mean())


def _fitting(one: Encoded, window: int, horizon: int) -> tuple[int, int]:
    return window, row_ends(len(one.z))[0] - horizon + 1


def _pairs(
    one: Encoded, window: int, horizon: int, start: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    origins = np.arange(start, end)
    seen, last = _windows(one, origins, window)
    ahead = one.z[origins[:, None] + np.arange(horizon)] - last[:, None]
    return seen, ahead.reshape(len(origins), -1)


def _windows(one: Encoded, origins: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows before each origin relative to the last one, with a constant; and the last one."""
    rows = np.maximum(origins[:, None] - np.arange(window, 0, -1), 0)
    last = one.z[origins - 1]
    seen = (one.z[rows] - last[:, None]).reshape(len(origins), -1)
    return np.concatenate([seen, np.ones((len(origins), 1))], 1), last
