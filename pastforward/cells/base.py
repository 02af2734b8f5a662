"""L1. The contract of a cell: one pure step on a memory, with any leading axes, time among them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from pastforward.memory import Step, flat, rms_norm, rollout
from pastforward.types import Memories, Memory, MemoryShape

Reach = Callable[[Tensor], Tensor]
"""From memories `[..., K, D]` to ones of the same shape."""


class Cell(nn.Module, ABC):
    """f: (m `[..., K, D]`, e `[..., E]`) -> m `[..., K, D]`."""

    visible: slice = slice(None)
    """Of the K * D numbers of a memory, V that the readout reads: all, unless a cell says less."""

    def __init__(self, memory: MemoryShape, inputs: int) -> None:
        super().__init__()
        self.memory, self.inputs = memory, inputs

    @abstractmethod
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """The next memory before normalisation, `[..., K, D]`."""

    @final
    def forward(self, m: Memory, e: Float[Tensor, "... inputs"]) -> Memory:
        """One step."""
        return self.normalise(self.transition(m, e))

    def normalise(self, m: Memory) -> Memory:
        """What follows a transition and the empty memory: slots get root-mean-square 1.

        A cell whose own transition bounds its memory returns it as it is.
        """
        return rms_norm(m)

    @property
    def reach(self) -> Reach | None:
        """From free memories to those that this cell can hold, for targets; None where it needs
        none.
        """
        return None

    def rollout(
        self,
        m: Float[Tensor, "batch slots width"],
        e: Float[Tensor, "batch length inputs"],
        step: Step | None = None,
    ) -> Memories:
        """m_0..m_T from m_0 and embedded inputs: T serial calls of `step`, `forward` when None.

        A cell with a faster way than `forward` again and again takes no notice of `step`.
        """
        return rollout(step or self, m, e)

    def outputs(
        self,
        m: Float[Tensor, "batch slots width"],
        e: Float[Tensor, "batch length inputs"],
        step: Step | None = None,
    ) -> tuple[Float[Tensor, "batch length visible"], Float[Tensor, "batch slots width"]]:
        """The `visible` numbers of m_1..m_T, and m_T: all that a loss of the outputs needs."""
        memories = self.rollout(m, e, step)
        return flat(memories[:, 1:])[..., self.visible], memories[:, -1]
