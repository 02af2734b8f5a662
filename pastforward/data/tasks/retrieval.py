"""L1. Retrieval: one symbol among many is marked, and asked for at the end."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, final

import numpy as np

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, steps
from pastforward.types import Tokens


@final
@dataclass(frozen=True)
class Retrieval(Task):
    """Final. Inputs 0..V-1 are plain symbols, V..2V-1 the same ones marked, 2V asks."""

    family: ClassVar[str] = "retrieval"
    summary: ClassVar[str] = "one symbol is marked, and asked for at the end"

    length: int = steps(128, 4)
    symbols: int = alphabet(8)

    @property
    def inputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(2 * self.symbols + 1)

    @property
    def outputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.symbols)

    @property
    def state_entropy(self) -> float:
        """See `Task`: the marked symbol."""
        return log(self.symbols)

    @property
    def dependency_length(self) -> int:
        """See `Task`: there is one output a sequence, its last."""
        return self.length

    def draw(self, generator: np.random.Generator, size: int) -> Random:
        """See `Task`: symbols, and which of the first T-2 is marked."""
        x = generator.integers(0, self.symbols, (size, self.length))
        return x, generator.integers(0, self.length - 2, size)

    def build(self, random: Random) -> Sequences:
        """See `Task`: x_T asks, and only y_T counts."""
        plain, marked = random
        x, y, rows = plain.copy(), np.zeros_like(plain), np.arange(len(plain))
        y[:, -1] = x[rows, marked]
        x[rows, marked] += self.symbols
        x[:, -1] = 2 * self.symbols
        mask = np.zeros(x.shape, dtype=bool)
        mask[:, -1] = True
        return Sequences(x, y, mask)

    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`: 'marked' is the symbol marked so far, V before there is one."""
        marked = (x >= self.symbols) & (x < 2 * self.symbols)
        state_entropy = np.where(marked, x - self.symbols + 1, 0).cumsum(1)
        return {"marked": np.where(state_entropy > 0, state_entropy - 1, self.symbols)}
