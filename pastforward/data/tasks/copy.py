"""L1. String copy: the second half repeats the first."""

from functools import partial

import numpy as np
import torch

from pastforward.data.tasks.base import Task
from pastforward.types import Batch, Tokens, UsageError

ALPHABET = 8


def copy_task(length: int) -> Task:
    """Copy at T = `length`; UsageError unless it is even and at least 4."""
    check_halves("copy", length)
    symbols = Tokens(ALPHABET)
    return Task(f"copy:{length}", symbols, symbols, length, partial(copy_batch, length=length))


def copy_batch(generator: np.random.Generator, size: int, length: int) -> Batch:
    """s + s for random s `[size, T/2]`; y_t = x_{t+1} counts where it lies in the second half."""
    half = torch.from_numpy(generator.integers(0, ALPHABET, (size, length // 2)))
    return second_half(half, half)


def second_half(first: torch.Tensor, second: torch.Tensor) -> Batch:
    """x = first + second, each `[B, T/2]`; y_t = x_{t+1} counts at t = T/2 .. T-1, 1-based."""
    x = torch.cat([first, second], 1)
    # After the last symbol comes none: a 0 that is masked.
    y = torch.cat([x[:, 1:], torch.zeros_like(x[:, :1])], 1)
    mask = torch.zeros_like(x, dtype=torch.bool)
    half = first.shape[1]
    mask[:, half - 1 : 2 * half - 1] = True
    return Batch(x, y, mask)


def check_halves(task: str, length: int) -> None:
    """Raise UsageError unless `length` is even and at least 4."""
    if length < 4 or length % 2:
        raise UsageError(
            f"The {task} task was given length {length}; give an even length of at least 4, "
            f"as in '{task}:32'."
        )
