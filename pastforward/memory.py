"""L0. What a memory is: K slots of width D, each slot of unit root-mean-square."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

EPSILON = 1e-6


def rms_norm(m: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
    """Scale every slot to root-mean-square 1 over D; direction is all a memory can carry."""
    return m * torch.rsqrt(m.square().mean(-1, keepdim=True) + EPSILON)


def flat(m: Float[Tensor, "... slots width"]) -> Float[Tensor, "... size"]:
    """All K * D numbers of a memory as one vector."""
    return m.flatten(-2)


def scale_gradient(tensor: Tensor, scale: float) -> Tensor:
    """The same values, with the gradient multiplied by `scale`; at 0 no gradient flows at all."""
    if scale == 0.0:
        return tensor.detach()
    if scale == 1.0:
        return tensor
    return tensor.detach() * (1.0 - scale) + tensor * scale


def take(sequence: Tensor, times: Int[Tensor, "batch ..."]) -> Tensor:
    """Gather `sequence[b, times[b, ...]]`: `[B, T, ...]` and `[B, A]` give `[B, A, ...]`."""
    # Not by brackets: code that torch.compile made for their backward wrote out of bounds.
    rest = sequence.shape[2:]
    index = times.reshape(len(times), -1, *[1] * len(rest)).expand(-1, -1, *rest)
    return sequence.gather(1, index).unflatten(1, times.shape[1:])
