"""L1. Reference losses of targets: predictors that know how often each occurs, and no input."""

import math

import numpy as np

from pastforward.data.source import symbol_references
from pastforward.types import Flags, Kind, Quantiles, StudentT, Tokens, Vectors


def references(kind: Kind, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Loss of each test target, by a distribution fitted to the training targets.

    Targets are codes `[n]`, or flags or standardised numbers `[n, C]`. Losses are those of
    training: nats, and for quantiles the pinball loss.
    """
    if isinstance(kind, Tokens):
        return symbol_references(*(np.bincount(y, minlength=kind.size) for y in (train, test)))
    if isinstance(kind, Flags):
        return _flags(train, test)
    if isinstance(kind, Vectors | StudentT):
        return {"gaussian": _gaussian(train, test)}
    return {"quantiles": _pinball(kind, train, test)}


def _flags(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    yes = (train.sum(0) + 1.0) / (len(train) + 2.0)
    loss = -(test * np.log(yes) + (1 - test) * np.log(1 - yes))
    return {"uniform": train.shape[1] * math.log(2), "unigram": float(loss.sum(1).mean())}


def _gaussian(train: np.ndarray, test: np.ndarray) -> float:
    mean, std = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    std = np.maximum(std, math.exp(-5.0))  # as narrow as the readout's can be
    loss = 0.5 * ((test - mean) / std) ** 2 + np.log(std) + 0.5 * math.log(2 * math.pi)
    return float(loss.sum(1).mean())


def _pinball(kind: Quantiles, train: np.ndarray, test: np.ndarray) -> float:
    losses = []
    for level in kind.levels:
        error = test - np.quantile(train, level, axis=0)
        losses.append(np.maximum(level * error, (level - 1) * error).sum(1).mean())
    return float(np.mean(losses))
