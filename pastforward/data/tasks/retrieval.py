"""L1. Retrieval: one symbol among many is marked, and asked for at the end."""

from functools import partial

import numpy as np
import torch

from pastforward.data.tasks.base import Task
from pastforward.types import Batch, Tokens, UsageError

ALPHABET = 8
QUERY = 2 * ALPHABET
"""Inputs 0..7 are plain symbols, 8..15 the same ones marked, 16 asks."""


def retrieval_task(length: int) -> Task:
    """Retrieval at T = `length`; UsageError below 4."""
    if length < 4:
        raise UsageError(
            f"The retrieval task was given length {length}; give at least 4, as in 'retrieval:128'."
        )
    draw = partial(retrieval_batch, length=length)
    return Task(f"retrieval:{length}", Tokens(QUERY + 1), Tokens(ALPHABET), length, draw)


def retrieval_batch(generator: np.random.Generator, size: int, length: int) -> Batch:
    """Random symbols, one of the first T-2 marked, then the query; only y_T counts."""
    x = generator.integers(0, ALPHABET, (size, length))
    rows, marked = np.arange(size), generator.integers(0, length - 2, size)
    y = np.zeros_like(x)
    y[:, -1] = x[rows, marked]
    x[rows, marked] += ALPHABET
    x[:, -1] = QUERY
    mask = np.zeros(x.shape, dtype=bool)
    mask[:, -1] = True
    return Batch(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(mask))
