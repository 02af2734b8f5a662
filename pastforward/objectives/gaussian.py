"""L2. How far memories are from a standard normal cloud, seen along random directions.

The test of Epps & Pulley (1983) on one-dimensional projections, as Balestriero & LeCun (2025,
SIGReg) use it against collapse.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pastforward.memory import flat


def gaussian(
    m: Float[Tensor, "steps count slots width"], directions: Float[Tensor, "number size"]
) -> Float[Tensor, ""]:
    """Squared distance of characteristic functions, under a standard normal weight.

    `int |E exp(i t z) - exp(-t^2 / 2)|^2 w(t) dt` for the projections z of the N memories of a
    step on each direction, averaged over directions and steps. The integral has a closed form, in
    which pairs of a memory with itself are left out: the mean over draws from the normal itself is
    then 0 at any N. About 0.42 when all memories of a step are the same, 0 when there is but one.
    """
    if m.shape[1] < 2:
        return m.new_zeros(())
    units = F.normalize(directions, dim=-1).to(m.dtype)
    z = (flat(m) @ units.T).transpose(1, 2)
    i, j = torch.triu_indices(m.shape[1], m.shape[1], 1, device=m.device)
    pairs = (z[..., i] - z[..., j]).square().mul(-0.5).exp().mean()
    return pairs - math.sqrt(2.0) * z.square().mul(-0.25).exp().mean() + math.sqrt(1.0 / 3.0)
