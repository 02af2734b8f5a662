"""L1. Parity: the least state there is to track."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, final

import numpy as np

from pastforward.data.tasks.tracking import Tracked
from pastforward.types import Tokens


@final
@dataclass(frozen=True)
class Parity(Tracked):
    """Final. Inputs are bits; the state is 1 after an odd number of ones."""

    family: ClassVar[str] = "parity"
    summary: ClassVar[str] = "bits; whether there was an odd number of ones so far"

    @property
    def inputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(2)

    @property
    def outputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(2)

    @property
    def state_entropy(self) -> float:
        """See `Task`: one bit."""
        return log(2)

    def track(self, x: np.ndarray) -> np.ndarray:
        """See `Tracked`."""
        return x.cumsum(1) % 2

    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`: 'parity'."""
        return {"parity": self.track(x)}
