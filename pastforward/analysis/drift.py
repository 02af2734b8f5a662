"""L4. Drift: how far the student's own memories are from the target memories."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.losses import MIN_VARIANCE, squared_error
from pastforward.types import MemoryShape


@dataclass(frozen=True)
class Drift:
    """Squared errors of memories, averaged over sequences and over the K * D numbers.

    Relative errors are measured as training measures them (`losses.variance_unexplained`): over
    the variance of the targets across sequences at the same step, plus `MIN_VARIANCE`.
    """

    mse: list[float]
    """delta_t, t = 0..T: mean squared error of the student's own m_t."""
    relative: list[float]
    """delta_t over the variance: 0 is exact, 1 no better than the targets' mean at each step."""
    one_step: float
    """Fraction of variance unexplained by one step from the target before, over t = 1..T."""
    by_slot: list[float]
    """The same by slot, over the slot's own variance: one bad slot hardly moves the mean of K."""
    variance: float
    """Variance of the targets across sequences at the same step, averaged over t = 1..T."""


class DriftMeter:
    """Accumulates batches, in float64."""

    def __init__(self, length: int, memory: MemoryShape) -> None:
        self.count = 0
        self.errors = torch.zeros(length + 1, dtype=torch.float64)
        self.missed = torch.zeros(memory.slots, dtype=torch.float64)
        # Sums by step, so that the variance is that of all sequences, whatever the batches.
        shape = (2, length, memory.slots, memory.width)
        self.sum, self.squares = torch.zeros(shape, dtype=torch.float64)

    def add(
        self,
        own: Float[Tensor, "batch steps slots width"],
        targets: Float[Tensor, "batch steps slots width"],
        stepped: Float[Tensor, "batch length slots width"],
    ) -> None:
        """The student's own m_0..m_T, the targets, and one step from each target but the last."""
        after = targets[:, 1:].double()
        self.count += len(targets)
        self.errors += squared_error(own, targets).double().sum(0).cpu()
        self.missed += (stepped - after).square().mean(-1).sum((0, 1)).cpu()
        self.sum += after.sum(0).cpu()
        self.squares += after.square().sum(0).cpu()

    def read(self) -> Drift:
        """The drift over all batches."""
        mean = self.sum / self.count
        variance = (self.squares / self.count - mean.square()).clamp_min(0.0).mean((0, 2))
        scale = float(variance.mean()) + MIN_VARIANCE
        mse, missed = self.errors / self.count, self.missed / (self.count * len(self.sum))
        return Drift(
            mse=mse.tolist(),
            relative=(mse / scale).tolist(),
            one_step=float(missed.mean()) / scale,
            by_slot=(missed / (variance + MIN_VARIANCE)).tolist(),
            variance=float(variance.mean()),
        )
