"""L1. Retrieval: one symbol among many is marked, and asked for at the end."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, steps


@final
@dataclass(frozen=True)
class Retrieval(Task):
    """Inputs 0..V-1 are plain symbols, V..2V-1 the same ones marked, 2V asks."""

    family: ClassVar[str] = "retrieval"

    length: int = steps(128, 4)
    symbols: int = alphabet(8)

    @override
    def sizes(self) -> tuple[int, int]:
        return 2 * self.symbols + 1, self.symbols

    @property
    @override
    def state_entropy(self) -> float:
        return log(self.symbols)

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # Symbols, and which of the first T-2 is marked.
        x = generator.integers(0, self.symbols, (size, self.length))
        return x, generator.integers(0, self.length - 2, size)

    @override
    def build(self, random: Random) -> Sequences:
        # x_T asks, and only y_T counts.
        plain, marked = random
        x, y, rows = plain.copy(), np.zeros_like(plain), np.arange(len(plain))
        y[:, -1] = x[rows, marked]
        x[rows, marked] += self.symbols
        x[:, -1] = 2 * self.symbols
        mask = np.zeros(x.shape, dtype=bool)
        mask[:, -1] = True
        return Sequences(x, y, mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'marked': the symbol marked so far, V before there is one."""
        marked = (x >= self.symbols) & (x < 2 * self.symbols)
        found = np.where(marked, x - self.symbols + 1, 0).cumsum(1)
        return {"marked": np.where(found > 0, found - 1, self.symbols)}
