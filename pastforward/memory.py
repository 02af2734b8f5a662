"""L0. What a memory is: K slots of width D, each slot of unit root-mean-square."""

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-6


def rms_norm(m: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
    """Scale every slot to root-mean-square 1 over D; direction is all a memory can carry."""
    return m * torch.rsqrt(m.square().mean(-1, keepdim=True) + EPSILON)


def flat(m: Float[Tensor, "... slots width"]) -> Float[Tensor, "... size"]:
    """All K * D numbers of a memory as one vector."""
    return m.flatten(-2)


def variance(
    m: Float[Tensor, "... slots width"], where: Float[Tensor, "..."] | None = None
) -> Float[Tensor, ""]:
    """Mean over K * D of the variance over all leading axes; `where` weights the memories.

    Memories have mean square 1, so this lies in [0, 1]: 0 when all memories are the same.
    """
    rows = flat(m).reshape(-1, m.shape[-2] * m.shape[-1])
    if where is None:
        return rows.var(0, correction=0).mean()
    weight = where.reshape(-1, 1) / where.sum()
    mean = (weight * rows).sum(0)
    return (weight * (rows - mean).square()).sum(0).mean()


def scale_gradient(tensor: Tensor, scale: float) -> Tensor:
    """The same values, with the gradient multiplied by `scale`; at 0 no gradient flows at all."""
    if scale == 0.0:
        return tensor.detach()
    if scale == 1.0:
        return tensor
    return tensor.detach() * (1.0 - scale) + tensor * scale
