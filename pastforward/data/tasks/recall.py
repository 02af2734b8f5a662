"""L1. Recall: one marked symbol (retrieval), or the values of keys (key_values, recall)."""

from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, axis, steps


@final
@dataclass(frozen=True)
class Retrieval(Task, family="retrieval"):
    """Inputs 0..V-1 are plain symbols, V..2V-1 the same ones marked, 2V asks."""

    length: int = steps(128, 4)
    symbols: int = alphabet(8)
    within: int = axis(100, "percent of the sequence, from its start, where the mark is", 1, 100)

    @override
    def sizes(self) -> tuple[int, int]:
        return 2 * self.symbols + 1, self.symbols

    @property
    @override
    def state_entropy(self) -> float:
        return log(self.symbols)

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # Symbols, and which of the first T-2, or of the share of them all, is marked.
        x = generator.integers(0, self.symbols, (size, self.length))
        last = min(self.length - 2, max(1, self.length * self.within // 100))
        return x, generator.integers(0, last, size)

    @override
    def build(self, random: Random) -> Sequences:
        # x_T asks, and only y_T counts.
        plain, marked = random
        x, y, rows = plain.copy(), np.zeros_like(plain), np.arange(len(plain))
        y[:, -1] = x[rows, marked]
        x[rows, marked] += self.symbols
        x[:, -1] = 2 * self.symbols
        mask = np.zeros(x.shape, dtype=bool)
        mask[:, -1] = True
        return Sequences(x, y, mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'marked': the symbol marked so far, V before there is one."""
        marked = (x >= self.symbols) & (x < 2 * self.symbols)
        found = np.where(marked, x - self.symbols + 1, 0).cumsum(1)
        return {"marked": np.where(found > 0, found - 1, self.symbols)}


@final
@dataclass(frozen=True)
class KeyValues(Task, family="key_values"):
    """Multi-query associative recall, as in Arora et al. 2023 (arXiv 2312.04927).

    P pairs of a key and a value are shown, then each key is asked once, in random order.

    Inputs 0..S-1 are keys, S..2S-1 values, 2S is a blank; outputs are the values 0..S-1. Keys of a
    sequence differ; values may repeat. The queries lie anywhere after the pairs, blanks between.
    """

    length: int = steps(64, 3)
    pairs: int = axis(8, "pairs shown", 1, 4096)
    symbols: int = alphabet(16)

    @override
    def sizes(self) -> tuple[int, int]:
        return 2 * self.symbols + 1, self.symbols

    @property
    @override
    def state_entropy(self) -> float:
        return 2 * self.pairs * log(self.symbols)

    @override
    def clash(self) -> str | None:
        if self.pairs > self.symbols:
            return f"{self.pairs} pairs of {self.symbols} keys; give pairs=P,symbols=S with P <= S"
        if self.length < 3 * self.pairs:
            return (
                f"length {self.length}; give at least {3 * self.pairs}, three times the "
                f"{self.pairs} pairs, or fewer pairs"
            )
        return None

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # Keys, values, and the position at which each key is asked.
        shown = 2 * self.pairs
        keys = _some(generator, size, self.symbols, self.pairs)
        values = generator.integers(0, self.symbols, keys.shape)
        return keys, values, shown + _some(generator, size, self.length - shown, self.pairs)

    @override
    def build(self, random: Random) -> Sequences:
        # Only the queries count.
        (keys, values, asked), shown = random, 2 * self.pairs
        x = np.full((len(keys), self.length), 2 * self.symbols)
        x[:, 0:shown:2], x[:, 1:shown:2] = keys, values + self.symbols
        y, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
        np.put_along_axis(x, asked, keys, 1)
        np.put_along_axis(y, asked, values, 1)
        np.put_along_axis(mask, asked, True, 1)
        return Sequences(x, y, mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'first', 'last': values of the first and the latest pair shown; 'key0': that of key 0.

        S stands for none yet.
        """
        shown = 2 * self.pairs
        keys, values = x[:, 0:shown:2], x[:, 1:shown:2] - self.symbols
        found = {name: np.full_like(x, self.symbols) for name in ("first", "last", "key0")}
        found["first"][:, 1:] = values[:, :1]
        for pair in range(self.pairs):
            begin = 2 * pair + 1
            found["last"][:, begin:] = values[:, pair, None]
            zero = keys[:, pair] == 0
            found["key0"][zero, begin:] = values[zero, pair, None]
        return found


@final
@dataclass(frozen=True)
class Recall(Task, family="recall"):
    """Pairs of a key and a value, a mark, and one of these keys: its latest value is asked.

    Inputs 0..S-1 are keys, S..2S-1 values, 2S is the mark; outputs are the values 0..S-1, and y_T
    alone counts. Keys repeat.
    """

    length: int = steps(64, 4)
    symbols: int = alphabet(16)

    @override
    def sizes(self) -> tuple[int, int]:
        return 2 * self.symbols + 1, self.symbols

    @property
    @override
    def state_entropy(self) -> float:
        # A value for each key, as far as there are pairs.
        return min(self.symbols, self.length // 2 - 1) * log(self.symbols)

    @override
    def clash(self) -> str | None:
        if self.length % 2:
            return f"length {self.length}; give an even length of at least 4"
        return None

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # Keys, values, and whose key is asked.
        pairs = self.length // 2 - 1
        shown = (generator.integers(0, self.symbols, (size, pairs)) for _ in range(2))
        return *shown, generator.integers(0, pairs, size)

    @override
    def build(self, random: Random) -> Sequences:
        keys, values, asked = random
        rows = np.arange(len(keys))
        key = keys[rows, asked]
        x = np.full((len(keys), self.length), 2 * self.symbols)
        x[:, 0:-2:2], x[:, 1:-2:2], x[:, -1] = keys, values + self.symbols, key
        latest = keys.shape[1] - 1 - (keys == key[:, None])[:, ::-1].argmax(1)
        y, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
        y[:, -1], mask[:, -1] = values[rows, latest], True
        return Sequences(x, y, mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'key0': the latest value of key 0, S for none; 'last': that of the latest pair."""
        found = {name: np.full_like(x, self.symbols) for name in ("key0", "last")}
        for t in range(1, self.length - 2, 2):
            value = x[:, t, None] - self.symbols
            found["last"][:, t:] = value
            zero = x[:, t - 1] == 0
            found["key0"][zero, t:] = value[zero]
        return found


def _some(generator: np.random.Generator, size: int, count: int, wanted: int) -> np.ndarray:
    """`wanted` different numbers below `count` for each sequence, in random order."""
    return generator.permuted(np.tile(np.arange(count), (size, 1)), axis=1)[:, :wanted]
