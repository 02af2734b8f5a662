"""L0. The one serial loop over time in training."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.types import Memories

Step = Callable[[Tensor, Tensor], Tensor]
"""A cell's step: (m_{t-1} `[B, K, D]`, e_t `[B, E]`) -> m_t `[B, K, D]`."""


def rollout(
    step: Step, m: Float[Tensor, "batch slots width"], e: Float[Tensor, "batch length inputs"]
) -> Memories:
    """m_0..m_T from m_0 and embedded inputs e_1..e_T: T calls of `step`, one after the other."""
    memories = [m]
    for e_t in e.unbind(1):
        memories.append(step(memories[-1], e_t))
    return torch.stack(memories, 1)
