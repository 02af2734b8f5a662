"""L4. A linear probe: can what we ask for be read off a memory by one linear layer?

Multinomial logistic regression on standardised memories, one probe for all t, fitted on one
held-out part and tested on another.
"""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

_ROWS = 4096
"""Memories that a probe is fitted to at most."""


class Sample(NamedTuple):
    """Memories `[N, T, S]`, the integers asked for `[N, T]` and where they count `[N, T]`."""

    memories: Tensor
    targets: Tensor
    counted: Tensor


@dataclass(frozen=True)
class Probe:
    """Accuracies on the part that was not fitted; None at a t where nothing counts."""

    accuracy: float
    majority: float
    """Of always saying what is most frequent in the fitted part."""
    by_time: list[float | None]
    """At t = 1..T."""
    majority_by_time: list[float | None]
    """Of always saying what is most frequent at that t in the fitted part."""
    classes: int


def linear_probe(fit: Sample, test: Sample) -> Probe:
    """Fit on one sample and read the other."""
    rows, targets = _rows(fit)
    told, asked = _predict(rows, targets, test.memories.flatten(0, 1).numpy()), test.targets.numpy()
    right = told.reshape(asked.shape) == asked
    counted, most = test.counted.numpy(), np.bincount(targets).argmax()
    at_time = np.stack([_most(fit, t) for t in range(asked.shape[1])])
    return Probe(
        accuracy=float(right[counted].mean()),
        majority=float((asked == most)[counted].mean()),
        by_time=_by_time(right, counted),
        majority_by_time=_by_time(asked == at_time, counted),
        classes=len(np.unique(targets)),
    )


def _rows(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """At most `_ROWS` memories `[n, S]` that count, evenly spread, and their targets `[n]`."""
    rows = sample.memories[sample.counted].numpy()
    targets = sample.targets[sample.counted].numpy()
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).round().astype(int)
    return rows[chosen], targets[chosen]


def _predict(rows: np.ndarray, targets: np.ndarray, asked: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(targets)) == 1:
        return np.full(len(asked), targets[0])
    mean, deviation = rows.mean(0), rows.std(0) + 1e-6
    model = LogisticRegression(max_iter=300)
    with warnings.catch_warnings():
        # Not quite at the optimum, it is still a linear reader of the memory.
        warnings.simplefilter("ignore")
        model.fit((rows - mean) / deviation, targets)
    return np.asarray(model.predict((asked - mean) / deviation))


def _most(sample: Sample, t: int) -> int:
    """The most frequent target at a time; -1, which none is, where nothing counts."""
    targets = sample.targets[:, t][sample.counted[:, t]].numpy()
    return int(np.bincount(targets).argmax()) if len(targets) else -1


def _by_time(right: np.ndarray, counted: np.ndarray) -> list[float | None]:
    pairs = zip(right.T, counted.T, strict=True)
    return [float(r[c].mean()) if c.any() else None for r, c in pairs]
