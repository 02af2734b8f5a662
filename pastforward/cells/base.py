"""L1. The contract of a cell: one pure step on a memory, with any leading axes, time among them."""

from abc import ABC, abstractmethod
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from pastforward.memory import rms_norm
from pastforward.types import Memory, MemoryShape


class Cell(nn.Module, ABC):
    """f: (m `[..., K, D]`, e `[..., E]`) -> m `[..., K, D]`, RMS-normalised over D."""

    def __init__(self, memory: MemoryShape, inputs: int) -> None:
        super().__init__()
        self.memory, self.inputs = memory, inputs

    @abstractmethod
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """The next memory before normalisation, `[..., K, D]`."""

    @final
    def forward(self, m: Memory, e: Float[Tensor, "... inputs"]) -> Memory:
        """One step."""
        return rms_norm(self.transition(m, e))
