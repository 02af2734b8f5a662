"""Regularisers that keep target memories apart, all of memories `[steps, N, K, D]`.

The N memories of a step are those of different sequences. Each is lower the further apart they lie.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from pastforward.losses import uniformity
from pastforward.memory import flat

_DIRECTIONS = 64
_EPSILON = 1e-4
"""Added to variances: the derivative of a standard deviation is infinite at 0."""


def over_all(m: Tensor) -> Tensor:
    """All memories as those of one step: pairs then differ in time as well."""
    return m.flatten(0, 1)[None]


def covariance(m: Tensor) -> Tensor:
    """Variance and covariance terms of VICReg (Bardes, Ponce & LeCun 2022).

    What standard deviations lack of 1, plus the mean square of covariances between two numbers.
    """
    count, size = m.shape[1], m.shape[2] * m.shape[3]
    rows = flat(m)
    rows = rows - rows.mean(1, keepdim=True)
    shared = rows.transpose(1, 2) @ rows / count
    variance = shared.diagonal(dim1=1, dim2=2)
    repeated = shared.square().sum((1, 2)) - variance.square().sum(1)
    lacking = F.relu(1.0 - (variance + _EPSILON).sqrt()).mean(1)
    return (lacking + repeated / max(1, size * (size - 1))).mean()


def gaussian(m: Tensor, generator: torch.Generator) -> Tensor:
    """Squared distance of characteristic functions to the standard normal's, under its weight.

    Of projections on random directions, as in SIGReg (Balestriero & LeCun 2025), in closed form and
    without pairs of a memory with itself: its mean over draws from the normal is 0 at any N.
    """
    directions = torch.randn(_DIRECTIONS, m.shape[2] * m.shape[3], generator=generator)
    z = (flat(m) @ F.normalize(directions, dim=-1).T).transpose(1, 2)
    i, j = torch.triu_indices(m.shape[1], m.shape[1], 1)
    pairs = (z[..., i] - z[..., j]).square().mul(-0.5).exp().mean()
    return pairs - math.sqrt(2.0) * z.square().mul(-0.25).exp().mean() + math.sqrt(1.0 / 3.0)


SPREADS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "pairs": lambda m, generator: uniformity(over_all(m)),
    "uniformity": lambda m, generator: uniformity(m),
    "covariance": lambda m, generator: covariance(m),
    "gaussian": gaussian,
}
