"""L1. Products of permutations: words of the groups S5 and A5, which no solvable group holds."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import log
from typing import ClassVar, final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import axis
from pastforward.data.tasks.tracking import Tracked

Permutation = tuple[int, ...]
_ITEMS = 5


@dataclass(frozen=True)
class Permuted(Tracked):
    """Abstract. Inputs are permutations; the state is their product, x_t after all before it.

    Outputs number the permutations of the group in lexicographic order. Inputs 0 and 1 are two that
    generate it; the others follow in order, up to `elements` inputs.
    """

    order: ClassVar[int]
    """Permutations in the group."""
    elements: int = 2

    @classmethod
    @abstractmethod
    def generators(cls) -> tuple[Permutation, Permutation]:
        """Inputs 0 and 1."""

    @override
    def sizes(self) -> tuple[int, int]:
        return self.elements, self.order

    @property
    @override
    def state_entropy(self) -> float:
        return log(self.order)

    @override
    def unigram(self) -> float:
        # A few generators reach a few products in a few steps, so outputs are not uniform.
        moves = self._moves()[: self.elements]
        chance = np.bincount(moves[:, 0], minlength=self.order) / self.elements
        total, count = np.zeros(self.order), 0
        for t in range(1, self.length + 1):
            if t % self.every == 0:
                total, count = total + chance, count + 1
            # moves[i, n] is the product that input i makes of n; inputs are equally likely.
            spread = np.tile(chance, len(moves))
            chance = np.bincount(moves.ravel(), spread, self.order) / len(moves)
        share = total[total > 0] / count
        return float(-(share * np.log(share)).sum())

    @override
    def track(self, x: np.ndarray) -> np.ndarray:
        moves, product = self._moves(), np.empty_like(x)
        now = np.zeros_like(x[:, 0])  # the identity is the first in lexicographic order
        for t in range(x.shape[1]):
            product[:, t] = now = moves[x[:, t], now]
        return product

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"product": self.track(x)}

    def _moves(self) -> np.ndarray:
        return _moves(self.generators(), self.order)


@lru_cache(maxsize=2)
def _moves(generators: tuple[Permutation, Permutation], order: int) -> np.ndarray:
    """`[order, order]`: the product that each input makes of each product so far."""
    items = [p for p in permutations(range(_ITEMS)) if order == 120 or not _is_odd(p)]
    number = {p: n for n, p in enumerate(items)}
    inputs = [*generators, *(p for p in items if p not in generators)]
    return np.array([[number[tuple(p[i] for i in q)] for q in items] for p in inputs])


def _is_odd(p: Permutation) -> bool:
    return sum(p[i] > p[j] for j in range(_ITEMS) for i in range(j)) % 2 == 1


@final
@dataclass(frozen=True)
class S5(Permuted, family="s5"):
    """All permutations of five items; inputs 0 and 1 swap the first two and rotate all."""

    order = 120
    elements: int = axis(120, "different permutations among the inputs", 2, 120)

    @classmethod
    @override
    def generators(cls) -> tuple[Permutation, Permutation]:
        return (1, 0, 2, 3, 4), (1, 2, 3, 4, 0)


@final
@dataclass(frozen=True)
class A5(Permuted, family="a5"):
    """The even permutations of five items, the smallest group that is simple and not cyclic.

    Inputs 0 and 1 rotate the first three and all.
    """

    order = 60
    elements: int = axis(60, "different permutations among the inputs", 2, 60)

    @classmethod
    @override
    def generators(cls) -> tuple[Permutation, Permutation]:
        return (1, 2, 0, 3, 4), (1, 2, 3, 4, 0)
