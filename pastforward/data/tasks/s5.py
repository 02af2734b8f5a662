"""L1. S5: products of permutations of five things, the state that Transformers find hard."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import log
from typing import ClassVar, final

import numpy as np

from pastforward.data.tasks.base import axis
from pastforward.data.tasks.tracking import Tracked
from pastforward.types import Tokens

ORDER = 120


@final
@dataclass(frozen=True)
class S5(Tracked):
    """Final. Inputs are permutations; the state is their product, x_t after all before it.

    Outputs number the 120 permutations in lexicographic order. Inputs 0 and 1 are the swap of the
    first two and the rotation of all, which generate the group; the others follow in order, as far
    as `elements` goes. See Merrill, Petty & Sabharwal 2024 (arXiv 2404.08819).
    """

    family: ClassVar[str] = "s5"
    summary: ClassVar[str] = "permutations of five things; their product so far"

    elements: int = axis(ORDER, "different permutations among the inputs", 2, ORDER)

    @property
    def inputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.elements)

    @property
    def outputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(ORDER)

    @property
    def state_entropy(self) -> float:
        """See `Task`: one permutation."""
        return log(ORDER)

    def unigram(self) -> float:
        """See `Task`: few generators reach few products in few steps."""
        moves = _moves()[: self.elements]
        chance = np.bincount(moves[:, 0], minlength=ORDER) / self.elements
        total, count = np.zeros(ORDER), 0
        for t in range(1, self.length + 1):
            if t % self.every == 0:
                total, count = total + chance, count + 1
            # Each move is a bijection: what lies at n comes from where it leads to n.
            chance = np.bincount(moves.ravel(), np.tile(chance, len(moves)), ORDER) / len(moves)
        share = total[total > 0] / count
        return float(-(share * np.log(share)).sum())

    def track(self, x: np.ndarray) -> np.ndarray:
        """See `Tracked`: numbered as the outputs."""
        moves, product = _moves(), np.empty_like(x)
        now = np.zeros_like(x[:, 0])  # the identity comes first in lexicographic order
        for t in range(x.shape[1]):
            product[:, t] = now = moves[x[:, t], now]
        return product

    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`: 'product', numbered as the outputs."""
        return {"product": self.track(x)}


@lru_cache(maxsize=1)
def _moves() -> np.ndarray:
    """`[120, 120]`: where each input, in its order, takes each product."""
    things = list(permutations(range(5)))
    number = {p: n for n, p in enumerate(things)}
    generators = [(1, 0, 2, 3, 4), (1, 2, 3, 4, 0)]
    inputs = generators + [p for p in things if p not in generators]
    return np.array([[number[tuple(p[i] for i in q)] for q in things] for p in inputs])
