"""L4. Drift: how far the student's own memories lie from the labels, and how fast it gets there."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.memory import flat
from pastforward.objectives import squared_error

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
    variance: float
    """Variance of the labels over sequences and t, averaged over the K * D numbers."""


class DriftMeter:
    """Adds up batches; all sums are kept in float64."""

    def __init__(self, length: int, size: int) -> None:
        self.count, self.one_step = 0, 0.0
        self.errors = torch.zeros(length + 1, dtype=torch.float64)
        self.sum = torch.zeros(size, dtype=torch.float64)
        self.squares = torch.zeros(size, dtype=torch.float64)

    def add(
        self,
        own: Float[Tensor, "batch steps slots width"],
        labels: Float[Tensor, "batch steps slots width"],
        stepped: Float[Tensor, "batch length slots width"],
    ) -> None:
        """The student's own m_0..m_T, the labels, and one step from each label but the last."""
        rows = flat(labels).flatten(0, 1).double()
        self.count += len(labels)
        self.errors += squared_error(own, labels).double().sum(0).cpu()
        self.one_step += float(squared_error(stepped, labels[:, 1:]).double().sum())
        self.sum += rows.sum(0).cpu()
        self.squares += rows.square().sum(0).cpu()

    def read(self) -> Drift:
        """What all batches together give."""
        steps = len(self.errors)
        mean = self.sum / (self.count * steps)
        spread = self.squares / (self.count * steps) - mean.square()
        variance = max(0.0, float(spread.mean()))
        scale = variance + _LEAST_VARIANCE
        mse = self.errors / self.count
        one_step = self.one_step / (self.count * (steps - 1)) / scale
        return Drift(mse.tolist(), (mse / scale).tolist(), one_step, variance)
