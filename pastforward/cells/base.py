"""L1. The contract of a cell: one pure step on a memory.

Time may be one of the leading axes: training by labels is one call on all transitions, a rollout
loops the same call.
"""

from abc import ABC, abstractmethod
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pastforward.memory import rms_norm
from pastforward.types import MemoryShape


class Cell(nn.Module, ABC):
    """f: (m `[..., K, D]`, e `[..., E]`) -> m `[..., K, D]`, RMS-normalised over D."""

    scale: Tensor
    """Memory scale: the root-mean-square at which a memory stands where a tanh bounds it. Well
    below 1 a tanh is nearly straight and a step can turn a memory without loss; a tensor, so that
    it is kept with the weights. Cells without a tanh have no use for it."""

    def __init__(self, memory: MemoryShape, inputs: int) -> None:
        super().__init__()
        self.memory, self.inputs = memory, inputs
        self.register_buffer("scale", torch.ones(()))

    @abstractmethod
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """The next memory before normalisation, `[..., K, D]`."""

    @final
    def forward(
        self, m: Float[Tensor, "... slots width"], e: Float[Tensor, "... inputs"]
    ) -> Float[Tensor, "... slots width"]:
        """One step."""
        return rms_norm(self.transition(m, e))
