"""L4. Drift: how far the student's own memories lie from the labels, and how fast it gets there."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.losses import squared_error
from pastforward.types import MemoryShape

# As in `objectives.unexplained`, so that the meter reads what training descends.
_LEAST_VARIANCE = 1e-4


@dataclass(frozen=True)
class Drift:
    """Distances of memories to labels, averaged over sequences."""

    mse: list[float]
    """delta_t, t = 0..T: mean squared error of the student's own m_t."""
    relative: list[float]
    """delta_t over the labels' variance: 0 is exact, 1 no better than their mean."""
    one_step: float
    """Fraction of variance unexplained by one step from the label before, over t = 1..T."""
    by_slot: list[float]
    """The same of each slot: a slot that is never hit hides among K that are."""
    variance: float
    """Variance of the labels over sequences and t, averaged over the K * D numbers."""


class DriftMeter:
    """Adds up batches; all sums are kept in float64."""

    def __init__(self, length: int, memory: MemoryShape) -> None:
        self.count, shape = 0, (memory.slots, memory.width)
        self.errors = torch.zeros(length + 1, dtype=torch.float64)
        self.missed = torch.zeros(memory.slots, dtype=torch.float64)
        self.sum, self.squares = torch.zeros(2, *shape, dtype=torch.float64)

    def add(
        self,
        own: Float[Tensor, "batch steps slots width"],
        targets: Float[Tensor, "batch steps slots width"],
        stepped: Float[Tensor, "batch length slots width"],
    ) -> None:
        """The student's own m_0..m_T, the labels, and one step from each label but the last."""
        rows = targets.double()
        self.count += len(targets)
        self.errors += squared_error(own, targets).double().sum(0).cpu()
        self.missed += (stepped - rows[:, 1:]).square().mean(-1).sum((0, 1)).cpu()
        self.sum += rows.sum((0, 1)).cpu()
        self.squares += rows.square().sum((0, 1)).cpu()

    def read(self) -> Drift:
        """What all batches together give."""
        steps = len(self.errors)
        mean = self.sum / (self.count * steps)
        spread = (self.squares / (self.count * steps) - mean.square()).clamp_min(0.0).mean(-1)
        variance = float(spread.mean())
        scale = variance + _LEAST_VARIANCE
        mse, missed = self.errors / self.count, self.missed / (self.count * (steps - 1))
        one_step, by_slot = float(missed.mean()) / scale, missed / (spread + _LEAST_VARIANCE)
        return Drift(mse.tolist(), (mse / scale).tolist(), one_step, by_slot.tolist(), variance)
