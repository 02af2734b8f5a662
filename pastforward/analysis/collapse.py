"""L4. Collapse: do memories differ, and along how many directions?"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pastforward.memory import flat

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
        """The spread over all batches."""
        mean = self.sum / self.count
        covariance = self.outer / self.count - torch.outer(mean, mean)
        pairs = self.count * (self.count - 1)
        similarity = (float(self.units @ self.units) - self.count) / max(pairs, 1)
        return Collapse(effective_rank(covariance), similarity)


def effective_rank(covariance: Float[Tensor, "size size"]) -> float:
    """exp(-sum p log p), p the eigenvalues over their sum (Roy and Vetterli 2007); 1 if all 0."""
    values = torch.linalg.eigvalsh(covariance.double()).clamp(min=0.0)
    # Memories that do not differ leave small positive eigenvalues by rounding.
    values = values.where(values > 1e-12 * max(1.0, float(covariance.diagonal().max())), 0.0)
    if not values.any():
        return 1.0
    share = values / values.sum()
    return float(torch.special.entr(share).sum().exp())
