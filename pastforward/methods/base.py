"""L3. The contract of a method: how credit flows. The loop owns everything else."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from pastforward.student import Student
from pastforward.types import AnyBatch

Transform = Callable[[Callable], Callable]


class Losses(NamedTuple):
    """What to descend, and every term by name (detached, for logs and the non-finite check)."""

    total: Tensor
    terms: dict[str, Tensor]


class Method(ABC):
    """One way to get gradients from a batch."""

    replay_steps = 1
    """Optimiser steps in a row that see the same batch."""

    def collect(self, batch: AnyBatch) -> AnyBatch:
        """The batch with all that its visits share, found without gradient at the first one."""
        return batch

    @abstractmethod
    def modules(self) -> Iterable[nn.Module]:
        """What this method trains, whole."""

    @final
    def parameters(self) -> Sequence[nn.Parameter]:
        """All of it that is not frozen, each once."""
        parts = (p for module in self.modules() for p in module.parameters())
        return list(dict.fromkeys(p for p in parts if p.requires_grad))

    @abstractmethod
    def serial_calls(self, length: int) -> int:
        """Cell calls one after the other in one optimiser step on sequences of `length`."""

    @abstractmethod
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """Losses of one batch; `generator` is the only source of randomness."""

    @abstractmethod
    def compile(self, transform: Transform) -> None:
        """Put the hot parts through `transform`: torch.compile, or identity to go back to eager."""

    @final
    def accumulate_gradients(
        self, batch: AnyBatch, generator: torch.Generator, share: float = 1.0
    ) -> dict[str, Tensor]:
        """Add the gradient of `share` times the loss; return the terms, `loss` among them."""
        total, terms = self.losses(batch, generator)
        (share * total).backward()
        return {"loss": total.detach()} | terms


class RolloutMethod(Method, ABC):
    """A method that trains the student alone, on memories that it reached itself."""

    def __init__(self, student: Student) -> None:
        self.student = student
        self._step = student.cell.forward

    @final
    def modules(self) -> Iterable[nn.Module]:
        """See `Method`."""
        return (self.student,)

    @final
    def compile(self, transform: Transform) -> None:
        """One step of the cell: compiling a graph of the whole unrolled loop takes minutes."""
        self._step = transform(self.student.cell.forward)
