"""L1. Recency and primacy: the output is drawn from the symbols so far, late or early ones first.

The best predictor gives each symbol the summed weights of its places, so its loss is above 0.
"""

from abc import abstractmethod
from dataclasses import dataclass
from math import log
from typing import ClassVar, final

import numpy as np

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, axis, steps
from pastforward.types import Tokens

_SCALE = 1024
"""The largest weight. Weights are whole numbers, so that sums of them can be listed exactly."""


@dataclass(frozen=True)
class Sampled(Task):
    """Abstract. x is random; y_t = x_i, i drawn from 1..t by a weight that halves every so often.

    The nth place in the order of preference has weight round(1024 * 2^(-(n-1) / half)).
    """

    length: int = steps(64, 2)
    half: int = axis(4, "steps over which the chance of a place halves", 1, 64)
    symbols: int = alphabet(8)

    @abstractmethod
    def place(self, rank: np.ndarray) -> np.ndarray:
        """From ranks `[B, T]` of preference, 0 the likeliest, to places in x, from 0."""

    @abstractmethod
    def scores(self, marks: np.ndarray) -> np.ndarray:
        """Summed weights at t of the places so far that are marked, `[B, T]` from `[B, T]`."""

    @property
    def inputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.symbols)

    @property
    def outputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.symbols)

    @property
    def state_entropy(self) -> float:
        """See `Task`: the symbols that have fifteen sixteenths of the weight."""
        return min(4 * self.half, self.length) * log(self.symbols)

    @property
    def dependency_length(self) -> int:
        """See `Task`."""
        return min(self.length, 4 * self.half)

    def weights(self) -> np.ndarray:
        """By rank, `[n]`: those above 0, at most T."""
        rank = np.arange(self.length)
        weights = np.rint(_SCALE * 2.0 ** (-rank / self.half)).astype(np.int64)
        return weights[weights > 0]

    def draw(self, generator: np.random.Generator, size: int) -> Random:
        """See `Task`: x, and the rank of the place that each output comes from."""
        x = generator.integers(0, self.symbols, (size, self.length))
        sums = self.weights().cumsum()
        within = sums[np.minimum(np.arange(self.length), len(sums) - 1)]
        return x, np.searchsorted(sums, generator.integers(0, within, x.shape), side="right")

    def build(self, random: Random) -> Sequences:
        """See `Task`: all outputs count."""
        x, rank = random
        y = np.take_along_axis(x, self.place(rank), 1)
        return Sequences(x, y, np.ones(x.shape, dtype=bool))

    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`: 'likeliest' is the best guess at y_t, the least symbol of several."""
        scores = [self.scores((x == symbol).astype(np.int64)) for symbol in range(self.symbols)]
        return {"likeliest": np.argmax(scores, 0)}

    def best(self) -> float:
        """See `Task`: the expected entropy of the best predictor's distribution, exactly.

        A symbol's score is a sum of weights, each with chance 1 / V; all V symbols are alike. So
        the entropy at t is V times the mean of -p ln p over the scores' distribution.
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
class Recency(Sampled):
    """Final. Late symbols are likelier."""

    family: ClassVar[str] = "recency"
    summary: ClassVar[str] = "the output is drawn from the inputs so far, late ones likelier"

    def place(self, rank: np.ndarray) -> np.ndarray:
        """See `Sampled`: ranks count back from t."""
        return np.arange(self.length) - rank

    def scores(self, marks: np.ndarray) -> np.ndarray:
        """See `Sampled`."""
        found = np.zeros_like(marks)
        for age, weight in enumerate(self.weights()):
            found[:, age:] += weight * marks[:, : self.length - age]
        return found


@final
@dataclass(frozen=True)
class Primacy(Sampled):
    """Final. Early symbols are likelier."""

    family: ClassVar[str] = "primacy"
    summary: ClassVar[str] = "the output is drawn from the inputs so far, early ones likelier"

    def place(self, rank: np.ndarray) -> np.ndarray:
        """See `Sampled`: ranks count from the start."""
        return rank

    def scores(self, marks: np.ndarray) -> np.ndarray:
        """See `Sampled`."""
        weights = self.weights()
        marks[:, : len(weights)] *= weights
        marks[:, len(weights) :] = 0
        return marks.cumsum(1)
