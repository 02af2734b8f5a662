"""L1. Stack: symbols are pushed and popped; the output of a pop is what it removes."""

from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, axis, steps


@final
@dataclass(frozen=True)
class Stack(Task, family="stack"):
    """Inputs 0..V-1 push a symbol, V pops; y_t is the symbol that x_t popped.

    A pop of the empty stack leaves it empty and does not count. No push on a full stack is drawn:
    it would be lost.
    """

    length: int = steps(64, 2)
    depth: int = axis(8, "symbols that fit on the stack", 1, 4096)
    symbols: int = alphabet(8)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.symbols + 1, self.symbols

    @property
    @override
    def state_entropy(self) -> float:
        # A full stack.
        return min(self.depth, self.length) * log(self.symbols)

    @property
    @override
    def dependency_length(self) -> int:
        # A random walk takes about depth^2 steps from the full stack to the empty one.
        return min(self.length, (self.depth + 1) ** 2)

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # Symbols, and with probability 1/2 each that it is pushed where it can be.
        symbols = generator.integers(0, self.symbols, (size, self.length))
        return symbols, generator.random((size, self.length)) < 0.5

    @override
    def build(self, random: Random) -> Sequences:
        symbols, wanted = random
        x, height = np.full_like(symbols, self.symbols), np.zeros(len(symbols), dtype=np.int64)
        for t in range(self.length):
            # At least one pop counts: the last step pops, and here an empty stack gets a symbol.
            due = (height == 0) & (t == self.length - 2)
            push = (wanted[:, t] & (t < self.length - 1) | due) & (height < self.depth)
            x[push, t] = symbols[push, t]
            height = np.maximum(height + np.where(push, 1, -1), 0)
        # A pop removes what was on top a step before.
        top = np.roll(self.states(x)["top"], 1, 1)
        top[:, 0] = self.symbols
        mask = (x == self.symbols) & (top < self.symbols)
        return Sequences(x, np.where(mask, top, 0), mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'top': the symbol on top, V for none; 'height': how many there are."""
        rows, height = np.arange(len(x)), np.zeros(len(x), dtype=np.int64)
        # Index 0 holds V, "nothing", so that the top of an empty stack can be read too.
        stack = np.full((len(x), self.depth + 1), self.symbols)
        found = {"top": np.empty_like(x), "height": np.empty_like(x)}
        for t in range(x.shape[1]):
            pop = x[:, t] == self.symbols
            push = ~pop & (height < self.depth)
            height = np.maximum(height + push - pop, 0)
            stack[rows[push], height[push]] = x[push, t]
            found["top"][:, t], found["height"][:, t] = stack[rows, height], height
        return found
