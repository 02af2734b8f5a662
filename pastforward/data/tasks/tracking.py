"""L1. State tracking: inputs change a state, which is asked now and then (parity, modular)."""

from abc import abstractmethod
from dataclasses import dataclass
from math import gcd, log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, axis, steps


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
        return Sequences(x, np.where(mask, self.track(x), 0), mask)


@final
@dataclass(frozen=True)
class Parity(Tracked, family="parity"):
    """Inputs are bits; the state is 1 after an odd number of ones."""

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


@final
@dataclass(frozen=True)
class Cyclic(Tracked, family="cyclic"):
    """Inputs are the numbers 0..n-1; the state is their sum modulo n: words of the cyclic group."""

    order: int = axis(5, "n, elements of the group", 2, 4096)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.order, self.order

    @property
    @override
    def state_entropy(self) -> float:
        return log(self.order)

    @override
    def track(self, x: np.ndarray) -> np.ndarray:
        return x.cumsum(1) % self.order

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"sum": self.track(x)}


@final
@dataclass(frozen=True)
class Modular(Task, family="modular"):
    """As in `3 + 4 * 2 = - 1 = =`: read from left to right, modulo p, no precedence.

    Inputs 0..p-1 are numbers, then come +, -, * and =. The first is a number, the last an =. At an
    = the output is the value so far, and the expression goes on. Factors are coprime to p, so that
    each operation is invertible and all values stay equally likely.
    """

    length: int = steps(64, 2)
    modulus: int = axis(5, "values", 2, 1024)
    every: int = axis(8, "steps from one question to the next, on average", 2, 65536)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.modulus + 4, self.modulus

    @property
    @override
    def state_entropy(self) -> float:
        # The value and a pending operator.
        return log(4 * self.modulus)

    @property
    @override
    def dependency_length(self) -> int:
        # An = outputs the whole value, so an input matters for a few questions at most.
        return min(self.length, 4 * self.every)

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # The first number; then where the value is asked, operators, factors and summands.
        p, asks = self.modulus, max(1, self.length // self.every)
        asks += (self.length - 1 - asks) % 2  # the rest are pairs of an operator and a number
        parts = asks + (self.length - 1 - asks) // 2
        asked = np.tile(np.arange(parts - 1) < asks - 1, (size, 1))
        factors = np.array([n for n in range(p) if gcd(n, p) == 1])
        return (
            generator.integers(0, p, (size, 1)),
            generator.permuted(asked, axis=1),
            generator.integers(0, 3, (size, parts)),
            factors[generator.integers(0, len(factors), (size, parts))],
            generator.integers(0, p, (size, parts)),
        )

    @override
    def build(self, random: Random) -> Sequences:
        # Only questions count, and the last part is one.
        first, asked, operator, factor, number = random
        p, size = self.modulus, len(first)
        asked = np.concatenate([asked, np.ones_like(first, dtype=bool)], 1)
        number = np.where(operator == 2, factor, number)
        # Parts are pairs of symbols; a question is one symbol, so its second is dropped.
        pairs = np.stack([np.where(asked, p + 3, p + operator), number], 2).reshape(size, -1)
        kept = np.stack([np.ones_like(asked), ~asked], 2).reshape(size, -1)
        x = np.concatenate([first, pairs[kept].reshape(size, -1)], 1)
        mask = x == p + 3
        return Sequences(x, np.where(mask, self.states(x)["value"], 0), mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'value' of the complete part, and 'pending', the operator that waits for its number.

        Operators are 1, 2, 3 for +, -, * and 0 for none.
        """
        p, found = self.modulus, {"value": np.empty_like(x), "pending": np.empty_like(x)}
        value, pending = x[:, 0] % p, np.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            word = x[:, t]
            done = np.choose(pending, [value, value + word, value - word, value * word]) % p
            value = np.where(word < p, done, value)
            pending = np.where((word >= p) & (word < p + 3), word - p + 1, 0)
            found["value"][:, t], found["pending"][:, t] = value, pending
        return found
