"""L1. State tracking: every input moves a state, and the output is the state itself."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from pastforward.data.tasks.base import Random, Sequences, Task, axis, counted, steps


@dataclass(frozen=True)
class Tracked(Task):
    """Abstract. x is random; y_t, at each step or at every so many, is the state after x_t."""

    length: int = steps(32, 2)
    every: int = axis(1, "steps from one question to the next", 1, 65536)

    @abstractmethod
    def track(self, x: np.ndarray) -> np.ndarray:
        """States after x_1..x_t, `[B, T]`."""

    @property
    def dependency_length(self) -> int:
        """See `Task`: a question answers for the whole state."""
        return min(self.length, 4 * self.every)

    def clash(self) -> str | None:
        """See `Task`."""
        if self.every > self.length:
            return f"every {self.every}; give at most the length, {self.length}"
        return None

    def draw(self, generator: np.random.Generator, size: int) -> Random:
        """See `Task`: x."""
        return (generator.integers(0, self.inputs.size, (size, self.length)),)

    def build(self, random: Random) -> Sequences:
        """See `Task`: counted are t = every, 2 * every, ..."""
        (x,) = random
        mask = np.zeros(x.shape, dtype=bool)
        mask[:, self.every - 1 :: self.every] = True
        return Sequences(x, counted(self.track(x), mask), mask)
