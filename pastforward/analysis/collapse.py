"""L4. Collapse meter: do memories differ, and in how many directions?"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pastforward.memory import flat

# Times looked at per sequence: neighbours in time add cost, hardly knowledge.
_TIMES = 32


@dataclass(frozen=True)
class Collapse:
    """Spread of a set of memories."""

    rank: float
    """Effective rank: exp of the entropy of the covariance's normalised eigenvalues; 1..K * D."""
    similarity: float
    """Mean cosine similarity of pairs of whole memories: 1 when all are the same."""


class CollapseMeter:
    """Adds up batches of memories; all sums are kept in float64."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.sum = torch.zeros(size, dtype=torch.float64)
        self.outer = torch.zeros(size, size, dtype=torch.float64)
        self.units = torch.zeros(size, dtype=torch.float64)

    def add(self, memories: Float[Tensor, "batch length slots width"]) -> None:
        """m_1..m_T of some sequences, of which at most 32 evenly spaced times are used."""
        length = memories.shape[1]
        times = torch.linspace(0, length - 1, min(length, _TIMES)).round().long()
        rows = flat(memories[:, times.to(memories.device)]).flatten(0, 1).double().cpu()
        self.count += len(rows)
        self.sum += rows.sum(0)
        self.outer += rows.T @ rows
        self.units += F.normalize(rows, dim=-1).sum(0)

    def read(self) -> Collapse:
        """What all batches together give."""
        mean = self.sum / self.count
        covariance = self.outer / self.count - torch.outer(mean, mean)
        pairs = self.count * (self.count - 1)
        similarity = (float(self.units @ self.units) - self.count) / max(pairs, 1)
        return Collapse(effective_rank(covariance), similarity)


def effective_rank(covariance: Float[Tensor, "size size"]) -> float:
    """exp(-sum p log p) of the eigenvalues' shares p; 1 for a covariance of zero."""
    values = torch.linalg.eigvalsh(covariance.double()).clamp(min=0.0)
    # Rounding leaves small positive eigenvalues where memories do not differ at all.
    values = values.where(values > 1e-12 * max(1.0, float(covariance.diagonal().max())), 0.0)
    if not values.any():
        return 1.0
    share = values / values.sum()
    return float(torch.special.entr(share).sum().exp())
