"""L1. Parity: tracking a state of one bit."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.tracking import Tracked


@final
@dataclass(frozen=True)
class Parity(Tracked):
    """Inputs are bits; the state is 1 after an odd number of ones."""

    family: ClassVar[str] = "parity"

    @override
    def sizes(self) -> tuple[int, int]:
        return 2, 2

    @property
    @override
    def state_entropy(self) -> float:
        return log(2)

    @override
    def track(self, x: np.ndarray) -> np.ndarray:
        return x.cumsum(1) % 2

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"parity": self.track(x)}
