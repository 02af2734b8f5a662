"""L1. Modular arithmetic in context: a running expression whose value is asked now and then."""

from dataclasses import dataclass
from math import gcd, log
from typing import ClassVar, NamedTuple, final

import numpy as np

from pastforward.data.tasks.base import Random, Sequences, Task, axis, counted, steps
from pastforward.types import Tokens


class _Trace(NamedTuple):
    value: np.ndarray  # [B, T], value of what is complete
    pending: np.ndarray  # [B, T], operator that waits for its number: 1, 2, 3; 0 for none


@final
@dataclass(frozen=True)
class Modular(Task):
    """Final. As in `3 + 4 * 2 = - 1 = =`: read from left to right, modulo p, no precedence.

    Inputs 0..p-1 are numbers, then come +, -, * and =. The first is a number, the last an =. At an
    = the output is the value so far, and the expression goes on. Factors are prime to p, so that
    each operation can be undone and all values stay equally likely.
    """

    family: ClassVar[str] = "modular"
    summary: ClassVar[str] = "a running expression modulo a number, its value asked now and then"

    length: int = steps(64, 2)
    modulus: int = axis(5, "values", 2, 1024)
    every: int = axis(8, "steps from one question to the next, on average", 2, 65536)

    @property
    def inputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.modulus + 4)

    @property
    def outputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.modulus)

    @property
    def state_entropy(self) -> float:
        """See `Task`: the value and an operator."""
        return log(4 * self.modulus)

    @property
    def dependency_length(self) -> int:
        """See `Task`: a question answers for the whole state."""
        return min(self.length, 4 * self.every)

    def draw(self, generator: np.random.Generator, size: int) -> Random:
        """See `Task`: the first number; then where it is asked, operators, factors and numbers."""
        p, asks = self.modulus, max(1, self.length // self.every)
        asks += (self.length - 1 - asks) % 2  # what is left is operators with their numbers
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

    def build(self, random: Random) -> Sequences:
        """See `Task`: questions alone count, and the last part is one."""
        first, asked, operator, factor, number = random
        p, size = self.modulus, len(first)
        asked = np.concatenate([asked, np.ones_like(first, dtype=bool)], 1)
        number = np.where(operator == 2, factor, number)
        # Parts as pairs of symbols, of which a question has but one.
        pairs = np.stack([np.where(asked, p + 3, p + operator), number], 2).reshape(size, -1)
        kept = np.stack([np.ones_like(asked), ~asked], 2).reshape(size, -1)
        x = np.concatenate([first, pairs[kept].reshape(size, -1)], 1)
        mask = x == p + 3
        return Sequences(x, counted(self._trace(x).value, mask), mask)

    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`.

        'value' is that of the expression as far as it is complete, 'pending' the operator that
        waits for its number: 1, 2, 3 for +, -, * and 0 for none.
        """
        found = self._trace(x)
        return {"value": found.value, "pending": found.pending}

    def _trace(self, x: np.ndarray) -> _Trace:
        p, found = self.modulus, _Trace(np.empty_like(x), np.empty_like(x))
        value, pending = x[:, 0] % p, np.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            word = x[:, t]
            done = np.choose(pending, [value, value + word, value - word, value * word]) % p
            value = np.where(word < p, done, value)
            pending = np.where((word >= p) & (word < p + 3), word - p + 1, 0)
            found.value[:, t], found.pending[:, t] = value, pending
        return found
