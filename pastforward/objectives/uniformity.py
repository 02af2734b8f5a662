"""L2. Uniformity: keeps memories apart on the sphere (Wang & Isola 2020)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pastforward.memory import flat


def uniformity(m: Float[Tensor, "steps count slots width"]) -> Float[Tensor, ""]:
    """log E exp(-2 |u - v|^2) over pairs of the N memories of a step, averaged over steps.

    Pairs are of sequences at the same step, or a clock would do. Half the loss is on whole
    memories, half on each slot; rows are scaled to unit norm. 0 when all memories of a step are
    the same, or there is but one; lower is more spread.
    """
    if m.shape[1] < 2:
        return m.new_zeros(())
    whole = _log_potential(flat(m))
    return 0.5 * (whole + _log_potential(m.movedim(2, 1).flatten(0, 1)))


def _log_potential(rows: Float[Tensor, "groups count width"]) -> Tensor:
    unit = F.normalize(rows, dim=-1)
    squared = 2.0 - 2.0 * unit @ unit.transpose(1, 2)
    count = rows.shape[1]
    itself = torch.eye(count, dtype=torch.bool, device=rows.device)
    potential = squared.mul(-2.0).masked_fill(itself, -math.inf)
    return (potential.flatten(1).logsumexp(1) - math.log(count * (count - 1))).mean()
