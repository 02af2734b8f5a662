"""L1. Recency and primacy: outputs are drawn from the inputs so far, late or early ones likelier.

The best predictor weighs each symbol by the summed weights of its places, so its loss is above 0.
"""

from abc import abstractmethod
from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, axis, steps

_SCALE = 1024
"""The largest weight. Weights are whole numbers, so that all their sums can be enumerated."""


@dataclass(frozen=True)
class Sampled(Task):
    """Abstract. x is random; y_t = x_i, where i is drawn from 1..t by weights.

    The nth place in the order of preference has weight round(1024 * 2^(-(n-1) / half)): it halves
    every `half` places.
    """

    length: int = steps(64, 2)
    half: int = axis(4, "steps over which the chance of a place halves", 1, 64)
    symbols: int = alphabet(8)

    @abstractmethod
    def place(self, rank: np.ndarray) -> np.ndarray:
        """Places in x, from 0, of ranks `[B, T]` of preference, where 0 is the likeliest."""

    @abstractmethod
    def scores(self, marks: np.ndarray) -> np.ndarray:
        """`[B, T]`: at t, summed weights of the places up to t where `marks` `[B, T]` is 1."""

    @override
    def sizes(self) -> tuple[int, int]:
        return self.symbols, self.symbols

    @property
    @override
    def state_entropy(self) -> float:
        # The symbols that have 15/16 of the weight.
        return min(4 * self.half, self.length) * log(self.symbols)

    @property
    @override
    def dependency_length(self) -> int:
        return min(self.length, 4 * self.half)

    def weights(self) -> np.ndarray:
        """By rank, `[n]`: those above 0, at most T."""
        rank = np.arange(self.length)
        weights = np.rint(_SCALE * 2.0 ** (-rank / self.half)).astype(np.int64)
        return weights[weights > 0]

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # x, and the rank of the place that each output is taken from.
        x = generator.integers(0, self.symbols, (size, self.length))
        sums = self.weights().cumsum()
        within = sums[np.minimum(np.arange(self.length), len(sums) - 1)]
        return x, np.searchsorted(sums, generator.integers(0, within, x.shape), side="right")

    @override
    def build(self, random: Random) -> Sequences:
        x, rank = random
        y = np.take_along_axis(x, self.place(rank), 1)
        return Sequences(x, y, np.ones(x.shape, dtype=bool))

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'likeliest': the most probable y_t; the smallest such symbol if there are several."""
        scores = [self.scores((x == symbol).astype(np.int64)) for symbol in range(self.symbols)]
        return {"likeliest": np.argmax(scores, 0)}

    @override
    def best(self) -> float:
        """The expected entropy of the best predictor's distribution, exactly.

        A symbol's score is the sum of the weights of its places, and each place holds it with
        probability 1 / V. All V symbols have the same distribution of scores, so the entropy at t
        is V times the mean of -p ln p over it.
        """
        weights, chance = self.weights(), 1 / self.symbols
        shares = np.zeros(weights.sum() + 1)
        shares[0], total, nats = 1.0, 0, []
        for weight in weights:
            total += weight
            shares[weight:] = (1 - chance) * shares[weight:] + chance * shares[:-weight]
            shares[:weight] *= 1 - chance
            p = np.arange(1, total + 1) / total
            nats.append(-self.symbols * float((shares[1 : total + 1] * p * np.log(p)).sum()))
        nats += [nats[-1]] * (self.length - len(nats))
        return sum(nats) / self.length


@final
@dataclass(frozen=True)
class Recency(Sampled, family="recency"):
    """Late symbols are likelier."""

    @override
    def place(self, rank: np.ndarray) -> np.ndarray:
        # Ranks count back from t.
        return np.arange(self.length) - rank

    @override
    def scores(self, marks: np.ndarray) -> np.ndarray:
        found = np.zeros_like(marks)
        for age, weight in enumerate(self.weights()):
            found[:, age:] += weight * marks[:, : self.length - age]
        return found


@final
@dataclass(frozen=True)
class Primacy(Sampled, family="primacy"):
    """Early symbols are likelier."""

    @override
    def place(self, rank: np.ndarray) -> np.ndarray:
        # Ranks count from the start.
        return rank

    @override
    def scores(self, marks: np.ndarray) -> np.ndarray:
        weights = self.weights()
        marks[:, : len(weights)] *= weights
        marks[:, len(weights) :] = 0
        return marks.cumsum(1)
