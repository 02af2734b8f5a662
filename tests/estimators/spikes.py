"""A toy task: noise with one spike. Which half is it in, and how high is it?"""

from typing import NamedTuple

import numpy as np

QUICK = {"method": "bptt", "cell": "elman", "steps": 40, "random_state": 0}


class Spikes(NamedTuple):
    X: np.ndarray
    half: np.ndarray
    height: np.ndarray


def spikes(count: int, seed: int = 0, length: int = 12) -> Spikes:
    random = np.random.default_rng(seed)
    X = random.normal(0, 0.1, (count, length))
    at, height = random.integers(0, length, count), random.uniform(1, 3, count)
    X[np.arange(count), at] += height
    return Spikes(X, np.where(at < length // 2, "early", "late"), height)


TRAIN, TEST = spikes(400), spikes(200, seed=1)


def ragged(X: np.ndarray, least: int = 4, seed: int = 0) -> list[np.ndarray]:
    """The same sequences, cut to several lengths."""
    lengths = np.random.default_rng(seed).integers(least, X.shape[1] + 1, len(X))
    return [row[:n] for row, n in zip(X, lengths, strict=True)]
