"""L4. A linear probe: how well can one linear layer predict something from a memory?

Multinomial logistic regression on standardised memories, one probe for all t, fitted on one
held-out split and tested on another.
"""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

_ROWS = 4096
"""Memories that a probe is fitted to at most."""


class Sample(NamedTuple):
    """Memories `[N, T, S]`, the integers to predict `[N, T]` and where they count `[N, T]`."""

    memories: Tensor
    targets: Tensor
    counted: Tensor


@dataclass(frozen=True)
class Probe:
    """Accuracies on the tested split; None at a t where nothing counts."""

    accuracy: float
    majority: float
    """Of always predicting the most frequent class of the fitted split."""
    by_time: list[float | None]
    """At t = 1..T."""
    majority_by_time: list[float | None]
    """Of always predicting the most frequent class at that t in the fitted split."""
    classes: int


def linear_probe(fit: Sample, test: Sample) -> Probe:
    """Fit on one sample and test on the other."""
    rows, targets = _rows(fit)
    wanted, counted = test.targets.numpy(), test.counted.numpy()
    predicted = _predict(rows, targets, test.memories.flatten(0, 1).numpy())
    right = predicted.reshape(wanted.shape) == wanted
    at_time = np.stack([_most_frequent(fit, t) for t in range(wanted.shape[1])])
    return Probe(
        accuracy=float(right[counted].mean()),
        majority=float((wanted == np.bincount(targets).argmax())[counted].mean()),
        by_time=_by_time(right, counted),
        majority_by_time=_by_time(wanted == at_time, counted),
        classes=len(np.unique(targets)),
    )


def _rows(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """At most `_ROWS` memories `[n, S]` that count, evenly spread, and their classes `[n]`."""
    rows = sample.memories[sample.counted].numpy()
    targets = sample.targets[sample.counted].numpy()
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).round().astype(int)
    return rows[chosen], targets[chosen]


def _predict(rows: np.ndarray, targets: np.ndarray, queries: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(targets)) == 1:
        return np.full(len(queries), targets[0])
    mean, deviation = rows.mean(0), rows.std(0) + 1e-6
    model = LogisticRegression(max_iter=300)
    with warnings.catch_warnings():
        # Stopping short of convergence is fine: the model is a linear probe all the same.
        warnings.simplefilter("ignore")
        model.fit((rows - mean) / deviation, targets)
    return np.asarray(model.predict((queries - mean) / deviation))


def _most_frequent(sample: Sample, t: int) -> int:
    """The most frequent class at a time; -1, which is no class, where nothing counts."""
    targets = sample.targets[:, t][sample.counted[:, t]].numpy()
    return int(np.bincount(targets).argmax()) if len(targets) else -1


def _by_time(right: np.ndarray, counted: np.ndarray) -> list[float | None]:
    pairs = zip(right.T, counted.T, strict=True)
    return [float(r[c].mean()) if c.any() else None for r, c in pairs]
