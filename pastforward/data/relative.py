"""L1. What outputs are relative to: nothing, the last value or a season, chosen on validation rows.

The choice is that of a linear map in the network's place: from the inputs of a few steps to the
next output, by ridge regression on training rows, rolled forward on its own predictions from places
of the validation rows. The one with the least mean absolute error is taken, or an earlier one whose
error is hardly larger. Where validation rows lie beyond all training rows there must be a
reference: a linear map follows a trend, but a network knows no values but those that it has seen.
"""

from dataclasses import replace

import numpy as np

from pastforward.data.encoded import Encoded, encode, row_ends
from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.panel import Panel
from pastforward.watching import watched

_STEPS, _HORIZON, _ORIGINS = 3, 48, 24
"""Steps that the map reads, rows that it is rolled, and places it is rolled from, of a series."""
_MOST = 24
"""Series that are looked at."""
_ALPHA = 1e-3
_ALIKE, _NEW = 1.02, 0.05
"""Factor on the least error, and share of validation values beyond the training values."""
_SAME = 1e-6
"""Standard deviations, of the series, below which changes are all the same."""
_SLOWEST = 0.995
"""Decay of a change at most: rows far ahead go back to their season."""


def relative_codec(codec: ForecastCodec, panel: Panel, lag: int) -> ForecastCodec:
    """The codec with outputs relative to the value `lag` rows before, scaled by training rows."""
    if not lag:
        return replace(codec, lag=0, change=(), decay=(), error=())
    changes, before = [], []
    for one in panel.series:
        z = encode(replace(codec, lag=0), one).z
        z = z[: row_ends(len(z))[0]]
        change = z[lag:] - z[:-lag]
        changes.append(change[1:])
        before.append(change[:-1])
    now, last = np.concatenate(changes), np.concatenate(before)
    square = (last**2).sum(0)
    decay = np.clip((now * last).sum(0) / np.where(square > 0, square, 1.0), 0.0, _SLOWEST)
    return replace(
        codec, lag=lag, change=_scale(now), decay=tuple(decay.tolist()),
        error=_scale(now - decay * last, 0.01 * np.array(_scale(now))),
    )  # fmt: skip


def _scale(values: np.ndarray, least: np.ndarray | None = None) -> tuple[float, ...]:
    """Standard deviations, `least` at least; without it 1 where there is none to speak of."""
    found = values.std(0) if len(values) else np.ones(values.shape[-1])
    if least is None:
        return tuple(np.where(found > _SAME, found, 1.0).tolist())
    return tuple(np.maximum(found, least).tolist())


def chosen_lag(codec: ForecastCodec, panel: Panel) -> tuple[int, dict[int, float]]:
    """The best lag, and the error of each by itself, in standard deviations of the series."""
    shortest = min(row_ends(len(one.values))[0] for one in panel.series)
    few = panel._replace(series=panel.series[:_MOST])
    lags = [1, *(season for season in codec.seasons if 4 * season <= shortest)]
    lags = lags if _beyond(few) > _NEW else [0, *lags]
    errors = {
        lag: _error(relative_codec(codec, few, lag), few)
        for lag in watched(lags, "choosing a reference", len(lags))
    }
    errors = {lag: error for lag, error in errors.items() if np.isfinite(error)}
    best = min(errors.values(), default=0.0)
    return next((lag for lag in errors if errors[lag] <= _ALIKE * best), 0), errors


def _beyond(panel: Panel) -> float:
    """The share of validation values that lie beyond all training values of their series."""
    outside = []
    for one in panel.series:
        train, valid = row_ends(len(one.values))
        low, high = np.nanmin(one.values[:train], 0), np.nanmax(one.values[:train], 0)
        later = one.values[train:valid]
        outside.append(((later < low) | (later > high))[~np.isnan(later)])
    found = np.concatenate([np.zeros(1, bool), *outside])
    return float(found.mean())


def _error(codec: ForecastCodec, panel: Panel) -> float:
    encoded = [encode(codec, one) for one in panel.series]
    weights = _fitted(encoded, codec)
    if weights is None:
        return np.inf
    found = [_rolled_error(one, codec, weights) for one in encoded]
    errors = np.concatenate([np.empty(0), *found])
    return float(errors.mean()) if len(errors) else np.inf


def _fitted(encoded: list[Encoded], codec: ForecastCodec) -> np.ndarray | None:
    xs, ys = [], []
    for one in encoded:
        end = row_ends(len(one.z))[0] - codec.first - 1
        if end > _STEPS:
            z = one.z[: end + codec.first + 1]
            inputs = codec.inputs(z[:-1], one.ahead, one.seen[: len(z) - 1])
            xs.append(_read(inputs))
            ys.append(codec.outputs(z[codec.first + _STEPS :], z[:-1]))
    if not xs:
        return None
    x, y = np.concatenate(xs).astype(np.float64), np.concatenate(ys).astype(np.float64)
    square = x.T @ x / len(x) + _ALPHA * np.eye(x.shape[1])
    return np.linalg.solve(square, x.T @ y / len(x))


def _read(inputs: np.ndarray) -> np.ndarray:
    """Inputs of `_STEPS` steps and a constant, `[..., n, F]`."""
    count = inputs.shape[-2] - _STEPS + 1
    parts = [inputs[..., k : k + count, :] for k in range(_STEPS)]
    return np.concatenate([*parts, np.ones_like(parts[0][..., :1])], -1)


def _rolled_error(one: Encoded, codec: ForecastCodec, weights: np.ndarray) -> np.ndarray:
    """Absolute errors of the map on its own predictions."""
    train, valid = row_ends(len(one.z))
    horizon, back = min(_HORIZON, valid - train), codec.first + _STEPS + 1
    if train < back or horizon < 1:
        return np.empty(0)
    origins = np.unique(np.linspace(train, valid - horizon, _ORIGINS).astype(int))
    z = np.stack([one.z[o - back : o] for o in origins])
    for step in range(horizon):
        seen = np.stack([one.ahead[o + step - back : o + step + 1] for o in origins])
        past = z[:, -back:]
        y = (_read(codec.inputs(past, seen, np.ones(past.shape[:2], bool))) @ weights)[:, -1:]
        z = np.concatenate([z, codec.following(y, z)], 1)
    truth = np.stack([one.z[o : o + horizon] for o in origins])
    return np.abs(z[:, back:] - truth).ravel()
