"""L1. Multi-query associative recall as published (Arora et al. 2023, arXiv 2312.04927)."""

from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, axis, steps


@final
@dataclass(frozen=True)
class MQAR(Task, family="mqar"):
    """P pairs of a key and a value, then each key once more, after a gap drawn by a power law.

    Inputs and outputs share V symbols: 1..V/2-1 are keys, V/2..V-1 values; keys of a sequence
    differ, and so do its values. The rest of the sequence is (T - 2P) / 2 places of two symbols;
    the place of a query, counted from 1, is n with a chance that falls as n^(a-1), each place taken
    once. The query is the first symbol of its place, and its value counts there. What is left are
    random symbols of all V, or blanks, the symbol 0. Published with T = 64, 128, 256 for 4, 8, 16
    pairs, a = 0.01 and V = 8,192.
    """

    length: int = steps(64, 4)
    pairs: int = axis(4, "pairs shown", 1, 4096)
    vocabulary: int = axis(512, "different symbols", 4, 65536)
    power: int = axis(1, "a, in hundredths; at 100 all gaps are equally likely", 1, 100)
    blank: int = axis(0, "1: blanks in place of random symbols between queries", 0, 1)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.vocabulary, self.vocabulary

    @property
    @override
    def state_entropy(self) -> float:
        return 2 * self.pairs * log(self.vocabulary / 2)

    @override
    def unigram(self) -> float:
        return log(self.vocabulary - self._half)

    @override
    def clash(self) -> str | None:
        if self.length % 2:
            return f"length {self.length}; give an even length of at least {4 * self.pairs}"
        if self.length < 4 * self.pairs:
            return (
                f"length {self.length}; give at least {4 * self.pairs}, four times the "
                f"{self.pairs} pairs, or fewer pairs"
            )
        if self.pairs >= self._half:
            return f"{self.pairs} pairs of {self._half - 1} keys; give a larger vocabulary"
        return None

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # Keys, values, places of the queries, and what is between them.
        keys = _some(generator, np.zeros(self._half - 1), size, self.pairs) + 1
        values = _some(generator, np.zeros(self.vocabulary - self._half), size, self.pairs)
        places = (self.length - 2 * self.pairs) // 2
        falling = (self.power / 100 - 1) * np.log(np.arange(1, places + 1))
        gaps = _some(generator, falling, size, self.pairs)
        between = generator.integers(0, self.vocabulary, (size, self.length - 2 * self.pairs))
        return keys, values + self._half, gaps, between * (1 - self.blank)

    @override
    def build(self, random: Random) -> Sequences:
        keys, values, gaps, between = random
        pairs = np.stack([keys, values], 2).reshape(len(keys), -1)
        x, asked = np.concatenate([pairs, between], 1), 2 * self.pairs + 2 * gaps
        y, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
        np.put_along_axis(x, asked, keys, 1)
        np.put_along_axis(y, asked, values, 1)
        np.put_along_axis(mask, asked, True, 1)
        return Sequences(x, y, mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'first' and 'last': values of the first and the latest pair shown; 0 for none yet."""
        found = {name: np.zeros_like(x) for name in ("first", "last")}
        found["first"][:, 1:] = x[:, 1:2]
        for pair in range(self.pairs):
            found["last"][:, 2 * pair + 1 :] = x[:, 2 * pair + 1, None]
        return found

    @property
    def _half(self) -> int:
        return self.vocabulary // 2


def _some(
    generator: np.random.Generator, weights: np.ndarray, size: int, wanted: int
) -> np.ndarray:
    """`[size, wanted]` different indices one after the other, by log weights of those left.

    The order of Gumbel noise plus log weights is that of draws without replacement.
    """
    noise = generator.gumbel(size=(size, len(weights)))
    return np.argsort(-(weights + noise), 1)[:, :wanted]
