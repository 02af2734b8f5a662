"""L0. Memories: K slots of width D, each slot of root-mean-square 1; rollouts of a cell."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pastforward.types import Memory

EPSILON = 1e-6
_LARGE = 2.0**32
"""Squares of numbers up to this are far from overflowing. A power of 2: scaling by it is exact."""

Step = Callable[[Tensor, Tensor], Tensor]
"""A cell's step: (m_{t-1} `[B, K, D]`, e_t `[B, E]`) -> m_t `[B, K, D]`."""


def rms_norm(m: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
    """Scale every slot to root-mean-square 1 over D, so that only its direction carries state.

    Right for all finite numbers: no square overflows. Under autocast in float32.
    """
    if m.dtype == torch.bfloat16 and torch.is_autocast_enabled(m.device.type):
        m = m.float()
    large = 2.0**4 if m.dtype == torch.float16 else _LARGE
    # Divided only where it is large: exporters would take EPSILON / large**2 for 0.
    m = m / (m.detach().abs().amax(-1, keepdim=True) / large).clamp(min=1.0)
    return m * torch.rsqrt(m.square().mean(-1, keepdim=True) + EPSILON)


def bounded(x: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
    """Scale vectors with numbers beyond 2^32 down to it, so that sums and squares don't overflow.

    Their direction stays, and all others stay as they are.
    """
    return x / (x.detach().abs().amax(-1, keepdim=True) / _LARGE).clamp(min=1.0)


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


def rollout(
    step: Step, m: Float[Tensor, "batch slots width"], e: Float[Tensor, "batch length inputs"]
) -> Float[Tensor, "batch steps slots width"]:
    """m_0..m_T from m_0 and embedded inputs e_1..e_T: T serial calls of `step`."""
    memories = [m]
    for e_t in e.unbind(1):
        memories.append(step(memories[-1], e_t))
    return torch.stack(memories, 1)
