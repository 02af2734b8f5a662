"""L1. State tracking: every input updates a state, and the output is the state itself."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, axis, masked, steps


@dataclass(frozen=True)
class Tracked(Task):
    """Abstract. x is random; y_t, at every `every`-th step, is the state after x_t."""

    length: int = steps(32, 2)
    every: int = axis(1, "steps from one question to the next", 1, 65536)

    @abstractmethod
    def track(self, x: np.ndarray) -> np.ndarray:
        """States after x_1..x_t, `[B, T]`."""

    @property
    @override
    def dependency_length(self) -> int:
        # A question outputs the whole state, so an input matters for a few questions at most.
        return min(self.length, 4 * self.every)

    @override
    def clash(self) -> str | None:
        if self.every > self.length:
            return f"every {self.every}; give at most the length, {self.length}"
        return None

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        return (generator.integers(0, self.sizes()[0], (size, self.length)),)

    @override
    def build(self, random: Random) -> Sequences:
        (x,) = random
        mask = np.zeros(x.shape, dtype=bool)
        # Counted are t = every, 2 * every, ...
        mask[:, self.every - 1 :: self.every] = True
        return Sequences(x, masked(self.track(x), mask), mask)
