"""L1. State tracking: every input changes a state, and the output is the state (parity, S5)."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import log
from typing import ClassVar, final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, axis, masked, steps


@dataclass(frozen=True)
class Tracked(Task):
    """Abstract. x is random; y_t, at every `every`-th step, is the state after x_t."""

    length: int = steps(32, 2)
    every: int = axis(1, "steps from one question to the next", 1, 65536)

    @abstractmethod
    def track(self, x: np.ndarray) -> np.ndarray:
        """States after x_1..x_t, `[B, T]`."""

    @property
    @override
    def dependency_length(self) -> int:
        # A question outputs the whole state, so an input matters for a few questions at most.
        return min(self.length, 4 * self.every)

    @override
    def clash(self) -> str | None:
        if self.every > self.length:
            return f"every {self.every}; give at most the length, {self.length}"
        return None

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        return (generator.integers(0, self.sizes()[0], (size, self.length)),)

    @override
    def build(self, random: Random) -> Sequences:
        (x,) = random
        mask = np.zeros(x.shape, dtype=bool)
        # Counted are t = every, 2 * every, ...
        mask[:, self.every - 1 :: self.every] = True
        return Sequences(x, masked(self.track(x), mask), mask)


@final
@dataclass(frozen=True)
class Parity(Tracked):
    """Inputs are bits; the state is 1 after an odd number of ones."""

    family: ClassVar[str] = "parity"

    @override
    def sizes(self) -> tuple[int, int]:
        return 2, 2

    @property
    @override
    def state_entropy(self) -> float:
        return log(2)

    @override
    def track(self, x: np.ndarray) -> np.ndarray:
        return x.cumsum(1) % 2

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"parity": self.track(x)}


ORDER = 120


@final
@dataclass(frozen=True)
class S5(Tracked):
    """Inputs are permutations; the state is their product, x_t after all before it.

    Outputs number the 120 permutations in lexicographic order. Inputs 0 and 1 are the swap of the
    first two items and the rotation of all, which generate the group; the others follow in order,
    up to `elements` inputs.
    """

    family: ClassVar[str] = "s5"

    elements: int = axis(ORDER, "different permutations among the inputs", 2, ORDER)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.elements, ORDER

    @property
    @override
    def state_entropy(self) -> float:
        return log(ORDER)

    @override
    def unigram(self) -> float:
        # A few generators reach a few products in a few steps, so outputs are not uniform.
        moves = _moves()[: self.elements]
        chance = np.bincount(moves[:, 0], minlength=ORDER) / self.elements
        total, count = np.zeros(ORDER), 0
        for t in range(1, self.length + 1):
            if t % self.every == 0:
                total, count = total + chance, count + 1
            # moves[i, n] is the product that input i makes of n; inputs are equally likely.
            chance = np.bincount(moves.ravel(), np.tile(chance, len(moves)), ORDER) / len(moves)
        share = total[total > 0] / count
        return float(-(share * np.log(share)).sum())

    @override
    def track(self, x: np.ndarray) -> np.ndarray:
        moves, product = _moves(), np.empty_like(x)
        now = np.zeros_like(x[:, 0])  # the identity is the first in lexicographic order
        for t in range(x.shape[1]):
            product[:, t] = now = moves[x[:, t], now]
        return product

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"product": self.track(x)}


@lru_cache(maxsize=1)
def _moves() -> np.ndarray:
    """`[120, 120]`: the product that each input makes of each product so far."""
    items = list(permutations(range(5)))
    number = {p: n for n, p in enumerate(items)}
    generators = [(1, 0, 2, 3, 4), (1, 2, 3, 4, 0)]
    inputs = generators + [p for p in items if p not in generators]
    return np.array([[number[tuple(p[i] for i in q)] for q in items] for p in inputs])
