"""L1. Reversed copy: the second half repeats the first backwards, as from a stack."""

from functools import partial

import numpy as np
import torch

from pastforward.data.tasks.base import Task
from pastforward.data.tasks.copy import ALPHABET, check_halves, second_half
from pastforward.types import Batch, Tokens


def reversed_copy_task(length: int) -> Task:
    """Reversed copy at T = `length`; UsageError unless it is even and at least 4."""
    check_halves("reversed_copy", length)
    symbols = Tokens(ALPHABET)
    draw = partial(reversed_copy_batch, length=length)
    return Task(f"reversed_copy:{length}", symbols, symbols, length, draw)


def reversed_copy_batch(generator: np.random.Generator, size: int, length: int) -> Batch:
    """s and then s backwards, for random s `[size, T/2]`; the second half counts."""
    half = torch.from_numpy(generator.integers(0, ALPHABET, (size, length // 2)))
    return second_half(half, half.flip(1))
