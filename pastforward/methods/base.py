"""L3. The contract of a method: how gradients are found. The loop owns everything else."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from pastforward.losses import output_weights, relevant
from pastforward.pieces import Piece
from pastforward.student import Student
from pastforward.types import AnyBatch, Memories, Signature

Transform = Callable[[Callable], Callable]
"""`torch.compile` with its options, or the identity."""


class Losses(NamedTuple):
    """What to descend, and every term by name (detached, for logs and the non-finite check)."""

    total: Tensor
    terms: dict[str, Tensor]
    over_steps: Mapping[str, Tensor] = {}
    """What of `total`, with its weights and gradient, is a mean over steps rather than outputs."""


class Shares(NamedTuple):
    """A micro-batch's part of all that counts in an optimiser step, on all ranks.

    Means of micro-batches, times their shares, add up to the mean over all of them.
    """

    outputs: Tensor | float = 1.0
    """By `output_weights`."""
    steps: Tensor | float = 1.0
    """Of m_0..m_T, without padding."""


WHOLE = Shares()
"""Of the one micro-batch of a single process."""


def counts(signature: Signature, batch: AnyBatch) -> Float[Tensor, "2"]:
    """What a batch adds to the sums that `Shares` are parts of."""
    used = relevant(batch.mask)
    steps = used.sum() + used.any(1).sum()
    return torch.stack([output_weights(signature, batch.y, batch.mask).sum(), steps])


class Method(ABC):
    """Abstract: one way to get gradients from a batch."""

    replay_steps = 1
    """Optimiser steps per batch."""
    fixed_graph = False
    """Does every step reach the same parameters? Then ranks look for unused ones only once."""
    cuts_time = False
    """Can several ranks share a sequence, a piece each?"""
    piece: Piece | None = None
    """This rank's piece of the next batch; None for all of it."""

    def collect(self, batch: AnyBatch) -> AnyBatch:
        """The batch with all that its optimiser steps share, computed once, without gradient."""
        return batch

    @abstractmethod
    def modules(self) -> Iterable[nn.Module]:
        """The networks that this method trains."""

    @final
    def parameters(self) -> Sequence[nn.Parameter]:
        """All of their parameters that require a gradient, each once."""
        parts = (p for module in self.modules() for p in module.parameters())
        return list(dict.fromkeys(p for p in parts if p.requires_grad))

    def serial_calls(self, length: int) -> int:
        """Consecutive cell calls in one optimiser step on sequences of `length`: all, if serial."""
        return length

    def positions(self, length: int) -> int:
        """Steps of each sequence of `length` that an optimiser step reads: all, if not fewer."""
        return length

    @abstractmethod
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """Losses of one batch; `generator` is the only source of randomness."""

    @abstractmethod
    def compile(self, transform: Transform) -> None:
        """Put the expensive parts through `transform`; the identity goes back to eager."""

    @final
    def weighted_losses(
        self, batch: AnyBatch, generator: torch.Generator, shares: Shares = WHOLE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss times the batch's shares, with gradient, and the terms times them.

        `loss` is among the terms.
        """
        total, terms, over_steps = self.losses(batch, generator)
        loss = shares.outputs * total
        for part in over_steps.values() if shares is not WHOLE else ():
            loss = loss + (shares.steps - shares.outputs) * part
        scaled = {
            name: (shares.steps if name in over_steps else shares.outputs) * term
            for name, term in terms.items()
        }
        return loss, {"loss": loss.detach()} | scaled

    @final
    def accumulate_gradients(
        self, batch: AnyBatch, generator: torch.Generator, shares: Shares = WHOLE
    ) -> dict[str, Tensor]:
        """Add the gradient of `weighted_losses`; return its terms."""
        loss, terms = self.weighted_losses(batch, generator, shares)
        loss.backward()
        return terms


class RolloutMethod(Method, ABC):
    """Abstract: a method that trains the student alone, on memories of its own rollout."""

    fixed_graph = True

    def __init__(self, student: Student) -> None:
        self.student = student
        self._step = student.cell.forward

    @final
    @override
    def modules(self) -> Iterable[nn.Module]:
        return (self.student,)

    @final
    @override
    def compile(self, transform: Transform) -> None:
        # One step of the cell: compiling a graph of the whole unrolled loop takes minutes.
        self._step = transform(self.student.cell.forward)

    @final
    def rollout(self, x: Tensor, m: Float[Tensor, "batch slots width"] | None = None) -> Memories:
        """m_0..m_T of x, from m or the empty memory; by the compiled step where that is used."""
        m = self.student.start(len(x)) if m is None else m
        return self.student.cell.rollout(m, self.student.embed(x), self._step)
