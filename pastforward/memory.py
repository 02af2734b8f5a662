"""L0. Operations on memories: K slots of width D, each slot of root-mean-square 1."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pastforward.types import Memory

EPSILON = 1e-6


def rms_norm(m: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
    """Scale every slot to root-mean-square 1 over D, so that only its direction carries state."""
    return m * torch.rsqrt(m.square().mean(-1, keepdim=True) + EPSILON)


def flat(m: Memory) -> Float[Tensor, "... size"]:
    """All K * D numbers of a memory as one vector."""
    return m.flatten(-2)


def scale_gradient(tensor: Tensor, scale: float) -> Tensor:
    """The same values, with the gradient multiplied by `scale`; detached where that is 0."""
    if scale == 0.0:
        return tensor.detach()
    if scale == 1.0:
        return tensor
    return tensor.detach() * (1.0 - scale) + tensor * scale


def take(sequence: Tensor, times: Int[Tensor, "batch ..."]) -> Tensor:
    """Gather `sequence[b, times[b, ...]]`: `[B, T, ...]` and `[B, A]` give `[B, A, ...]`."""
    # gather(), not brackets: inductor's CPU code for the backward of advanced indexing wrote out
    # of bounds (torch 2.13.0).
    rest = sequence.shape[2:]
    index = times.reshape(len(times), -1, *[1] * len(rest)).expand(-1, -1, *rest)
    return sequence.gather(1, index).unflatten(1, times.shape[1:])
