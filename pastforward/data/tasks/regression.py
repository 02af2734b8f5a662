"""L1. Regression in context: two numbers are inferred from pairs (modular arithmetic)."""

from dataclasses import dataclass
from math import ceil, log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, axis, steps


@final
@dataclass(frozen=True)
class Regression(Task, family="regression"):
    """x_1, y_1, x_2, y_2, ... with y_i = w x_i + b modulo a prime p; y_i counts, where x_i is read.

    w and b are of the sequence, drawn from the numbers below p / 5. Two pairs with different x tell
    both, so what is left to guess is at the start.
    """

    length: int = steps(64, 2)
    modulus: int = axis(23, "p, a prime", 7, 4096)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.modulus, self.modulus

    @property
    @override
    def state_entropy(self) -> float:
        return log(self.modulus) + 2 * log(self._few)  # a pending x beside w and b

    @override
    def clash(self) -> str | None:
        p = self.modulus
        if any(p % n == 0 for n in range(2, int(p**0.5) + 1)):
            return f"modulus {p}; give a prime"
        return None

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        w_and_b = generator.integers(0, self._few, (size, 2))
        return w_and_b, generator.integers(0, self.modulus, (size, ceil(self.length / 2)))

    @override
    def build(self, random: Random) -> Sequences:
        w_and_b, read = random
        value = (w_and_b[:, :1] * read + w_and_b[:, 1:]) % self.modulus
        x = np.stack([read, value], 2).reshape(len(read), -1)[:, : self.length]
        y, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
        y[:, ::2], mask[:, ::2] = value, True
        return Sequences(x, y, mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'weight': w once two pairs tell it, before that the number of values that it can have."""
        p, found = self.modulus, np.full_like(x, self._few)
        inverse = np.array([pow(n, -1, p) if n else 0 for n in range(p)])
        for t in range(3, x.shape[1], 2):
            run, rise = x[:, t - 1] - x[:, 0], x[:, t] - x[:, 1]
            new = (run % p != 0) & (found[:, t - 1] == self._few)
            found[new, t:] = (rise * inverse[run % p] % p)[new, None]
        return {"weight": found}

    @override
    def best(self) -> float:
        """Exact: the entropy of all outputs, given all x, is that of w and b less what is left.

        Unless all n values of x are the same, which has a chance of p^(1-n), two differ and nothing
        is left; else what is left is the choice among the w and b that give the same output.
        """
        p, count = self.modulus, ceil(self.length / 2)
        w, b = (n.ravel() for n in np.indices((self._few, self._few)))
        values = (w * np.arange(p)[:, None] + b) % p
        alike = np.stack([np.bincount(row, minlength=p)[row] for row in values])
        left = p ** (1.0 - count) * float(np.log(alike).mean())
        return (2 * log(self._few) - left) / count

    @override
    def unigram(self) -> float:
        # Unless w is 0, values are uniform, as x is; with w = 0 they are b.
        p, few = self.modulus, self._few
        low, high = (1 - 1 / few) / p + 1 / few**2, (1 - 1 / few) / p
        return -(few * low * log(low) + (p - few) * high * log(high))

    @property
    def _few(self) -> int:
        """How many values w and b can have each."""
        return ceil(self.modulus / 5)
