"""L1. Reference losses: those of predictors that read no input."""

import math

import numpy as np


def symbol_references(train_counts: np.ndarray, test_counts: np.ndarray) -> dict[str, float]:
    """Nats per test symbol: 'uniform', and 'unigram' by the training counts plus one.

    Both counts are `[V]`, how often each of the V symbols is an output.
    """
    log_p = np.log((train_counts + 1.0) / (train_counts.sum() + len(train_counts)))
    unigram = -float((test_counts * log_p).sum() / test_counts.sum())
    return {"uniform": math.log(len(train_counts)), "unigram": unigram}


def gaussian_reference(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Nats per test vector under one Gaussian per channel, fitted to the training vectors.

    Both are `[N, C]`; losses are summed over channels.
    """
    mean, std = train.mean(0), train.std(0)
    loss = 0.5 * ((test - mean) / std) ** 2 + np.log(std) + 0.5 * math.log(2 * math.pi)
    return {"gaussian": float(loss.sum(1).mean())}
