"""L1. String copy: the second half repeats the first."""

from functools import partial

import numpy as np
import torch

from pastforward.data.tasks.base import Task
from pastforward.types import Batch, Tokens, UsageError

ALPHABET = 8


def copy_task(length: int) -> Task:
    """Copy at T = `length`; UsageError unless it is even and at least 4."""
    if length < 4 or length % 2:
        raise UsageError(
            f"The copy task was given length {length}; give an even length of at least 4, "
            "as in 'copy:32'."
        )
    symbols = Tokens(ALPHABET)
    return Task(f"copy:{length}", symbols, symbols, length, partial(copy_batch, length=length))


def copy_batch(generator: np.random.Generator, size: int, length: int) -> Batch:
    """s + s for random s `[size, T/2]`; y_t = x_{t+1} counts where it lies in the second half."""
    half = torch.from_numpy(generator.integers(0, ALPHABET, (size, length // 2)))
    x = torch.cat([half, half], 1)
    y = torch.cat([x[:, 1:], torch.zeros_like(x[:, :1])], 1)
    mask = torch.zeros_like(x, dtype=torch.bool)
    mask[:, length // 2 - 1 : length - 1] = True
    return Batch(x, y, mask)
