"""L1. Stack: symbols are pushed and popped; what a pop takes off is the output."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, NamedTuple, final

import numpy as np

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, axis, counted, steps
from pastforward.types import Tokens


class _Trace(NamedTuple):
    popped: np.ndarray  # [B, T], what x_t took off, V for nothing
    top: np.ndarray  # [B, T], what is on top after x_t, V for nothing
    height: np.ndarray  # [B, T], symbols on the stack after x_t


@final
@dataclass(frozen=True)
class Stack(Task):
    """Final. Inputs 0..V-1 push a symbol, V pops; y_t is the symbol that x_t popped.

    A pop of the empty stack leaves it empty and does not count. A push on a full stack would be
    lost; none is drawn.
    """

    family: ClassVar[str] = "stack"
    summary: ClassVar[str] = "symbols are pushed; the output of a pop is what it takes off"

    length: int = steps(64, 2)
    depth: int = axis(8, "symbols that the stack takes", 1, 4096)
    symbols: int = alphabet(8)

    @property
    def inputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.symbols + 1)

    @property
    def outputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.symbols)

    @property
    def state_entropy(self) -> float:
        """See `Task`: a full stack."""
        return min(self.depth, self.length) * log(self.symbols)

    @property
    def dependency_length(self) -> int:
        """See `Task`: a random walk from the full stack to its bottom."""
        return min(self.length, (self.depth + 1) ** 2)

    def draw(self, generator: np.random.Generator, size: int) -> Random:
        """See `Task`: symbols, and at even chances whether they are pushed, if they can be."""
        symbols = generator.integers(0, self.symbols, (size, self.length))
        return symbols, generator.random((size, self.length)) < 0.5

    def build(self, random: Random) -> Sequences:
        """See `Task`: at least one pop counts."""
        symbols, wanted = random
        x, height = np.full_like(symbols, self.symbols), np.zeros(len(symbols), dtype=np.int64)
        for t in range(self.length):
            # So the pop that comes last, or the one before it, takes something off.
            due = (height == 0) & (t == self.length - 2)
            push = (wanted[:, t] & (t < self.length - 1) | due) & (height < self.depth)
            x[push, t] = symbols[push, t]
            height = np.maximum(height + np.where(push, 1, -1), 0)
        popped = self._trace(x).popped
        mask = popped < self.symbols
        return Sequences(x, counted(popped, mask), mask)

    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`: 'top' is the symbol on top, V for none, and 'height' how many there are."""
        found = self._trace(x)
        return {"top": found.top, "height": found.height}

    def _trace(self, x: np.ndarray) -> _Trace:
        rows, height = np.arange(len(x)), np.zeros(len(x), dtype=np.int64)
        # The stack stands on a floor, place 0, so that its top can always be read.
        stack = np.full((len(x), self.depth + 1), self.symbols)
        found = _Trace(*(np.empty_like(x) for _ in _Trace._fields))
        for t in range(x.shape[1]):
            pop = x[:, t] == self.symbols
            push = ~pop & (height < self.depth)
            found.popped[:, t] = np.where(pop, stack[rows, height], self.symbols)
            height = np.maximum(height + push - pop, 0)
            stack[rows[push], height[push]] = x[push, t]
            found.top[:, t], found.height[:, t] = stack[rows, height], height
        return found
