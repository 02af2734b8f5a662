"""L1. S5: products of permutations of five items, a state that Transformers track badly.

Merrill, Petty & Sabharwal 2024 (arXiv 2404.08819).
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import log
from typing import ClassVar, final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import axis
from pastforward.data.tasks.tracking import Tracked

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
