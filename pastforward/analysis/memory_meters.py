"""L4. Meters of memories, fed batch by batch: their collapse, and their drift from targets."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from pastforward.analysis.labels import add_counts
from pastforward.losses import MIN_VARIANCE, squared_error
from pastforward.memory import flat, take
from pastforward.types import MemoryShape

_TIMES = 32
"""Times used per sequence: neighbours in time cost as much and add little."""


@dataclass(frozen=True)
class Collapse:
    """Spread of a set of memories."""

    rank: float
    """Effective rank: exp of the entropy of the covariance's normalised eigenvalues; 1..K * D."""
    similarity: float
    """Mean cosine similarity of pairs of whole memories: 1 when all are the same."""


class CollapseMeter:
    """Accumulates batches of memories, in float64."""

    def __init__(self, size: int) -> None:
        """`size` is K * D."""
        self.count = 0
        self.sum = torch.zeros(size, dtype=torch.float64)
        self.outer = torch.zeros(size, size, dtype=torch.float64)
        self.units = torch.zeros(size, dtype=torch.float64)

    def add(
        self, memories: Float[Tensor, "batch length slots width"],
        used: Bool[Tensor, "batch length"] | None = None,
    ) -> None:  # fmt: skip
        """m_1..m_T of some sequences, of which at most 32 evenly spaced times are taken.

        They are spread over the steps `used`, from the first on; over all when None.
        """
        used = _all(memories) if used is None else used
        length = used.sum(1, keepdim=True)
        share = torch.linspace(0, 1, _TIMES, dtype=torch.float64).to(memories.device)
        times = (share * (length - 1).clamp(min=0)).round().long()
        # A sequence of fewer than 32 steps has some of them more than once.
        new = F.pad(times.diff(dim=1) > 0, (1, 0), value=True) & (length > 0)
        rows = flat(take(memories, times))[new].double().cpu()
        self.count += len(rows)
        self.sum += rows.sum(0)
        self.outer += rows.T @ rows
        self.units += F.normalize(rows, dim=-1).sum(0)

    def join(self, other: "CollapseMeter") -> None:
        """Add what another meter has seen."""
        add_counts(self, other, ("count", "sum", "outer", "units"))

    def read(self) -> Collapse:
        """The spread over all batches."""
        mean = self.sum / self.count
        covariance = self.outer / self.count - torch.outer(mean, mean)
        pairs = self.count * (self.count - 1)
        similarity = (float(self.units @ self.units) - self.count) / max(pairs, 1)
        return Collapse(effective_rank(covariance), similarity)


def effective_rank(covariance: Float[Tensor, "size size"]) -> float:
    """exp(-sum p log p), p the eigenvalues over their sum (Roy and Vetterli 2007); 1 if all 0.

    NaN where memories are not finite.
    """
    if not covariance.isfinite().all():
        return math.nan
    values = torch.linalg.eigvalsh(covariance.double()).clamp(min=0.0)
    # Memories that do not differ leave small positive eigenvalues by rounding.
    values = values.where(values > 1e-12 * max(1.0, float(covariance.diagonal().max())), 0.0)
    if not values.any():
        return 1.0
    share = values / values.sum()
    return float(torch.special.entr(share).sum().exp())


@dataclass(frozen=True)
class Drift:
    """Squared errors of memories, averaged over sequences and over the K * D numbers.

    T is the length of the longest sequence without its padding.

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
        """`length` is the largest number of steps in a batch."""
        self.count = 0
        self.errors, self.reached = torch.zeros(2, length + 1, dtype=torch.float64)
        self.missed = torch.zeros(memory.slots, dtype=torch.float64)
        # Sums by step, so that the variance is that of all sequences, whatever the batches.
        shape = (2, length, memory.slots, memory.width)
        self.sum, self.squares = torch.zeros(shape, dtype=torch.float64)

    def add(
        self,
        own: Float[Tensor, "batch steps slots width"],
        targets: Float[Tensor, "batch steps slots width"],
        stepped: Float[Tensor, "batch length slots width"],
        used: Bool[Tensor, "batch length"] | None = None,
    ) -> None:
        """The student's own m_0..m_T, the targets, and one step from each target but the last.

        Only memories m_t at the steps `used` enter, and m_0 of sequences that have any; all when
        None.
        """
        used = _all(stepped) if used is None else used
        steps, at = used.shape[1], used[..., None, None]
        after = targets[:, 1:].double().where(at, 0.0)
        missed = (stepped - after).where(at, 0.0)
        seen = torch.cat([used.any(1, keepdim=True), used], 1)
        self.count += len(targets)
        self.reached[: steps + 1] += seen.double().sum(0).cpu()
        self.errors[: steps + 1] += squared_error(own, targets).double().where(seen, 0).sum(0).cpu()
        self.missed += missed.square().mean(-1).sum((0, 1)).cpu()
        self.sum[:steps] += after.sum(0).cpu()
        self.squares[:steps] += after.square().sum(0).cpu()

    def join(self, other: "DriftMeter") -> None:
        """Add what another meter has seen."""
        add_counts(self, other, ("count", "errors", "reached", "missed", "sum", "squares"))

    def read(self) -> Drift:
        """The drift over all batches."""
        steps = int((self.reached > 0).sum()) - 1
        count = self.reached[1 : steps + 1, None, None]
        mean, square = self.sum[:steps] / count, self.squares[:steps] / count
        shares = count / count.sum()
        variance = (shares * (square - mean.square()).clamp_min(0.0)).sum(0).mean(1)
        scale = float(variance.mean()) + MIN_VARIANCE
        mse = self.errors[: steps + 1] / self.reached[: steps + 1]
        missed = self.missed / count.sum()
        by_slot = (missed / (variance + MIN_VARIANCE)).tolist()
        one_step, variance = float(missed.mean()) / scale, float(variance.mean())
        return Drift(mse.tolist(), (mse / scale).tolist(), one_step, by_slot, variance)


def _all(memories: Float[Tensor, "batch length slots width"]) -> Bool[Tensor, "batch length"]:
    return torch.ones(memories.shape[:2], dtype=torch.bool, device=memories.device)
