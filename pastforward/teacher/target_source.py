"""L2. Who says what a student should remember: a teacher that runs, or labels written before.

The methods that fit a student ask an oracle. `Teacher` is one; `StoredLabels` is the other, and
with it no teacher is built or run.
"""

from abc import ABC, abstractmethod
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pastforward.errors import UsageError
from pastforward.memory import take
from pastforward.types import AnyBatch, BatchWithTargets


class TargetSource(ABC):
    """Abstract: what methods ask of whoever has the labels."""

    @abstractmethod
    def targets_of(self, batch: AnyBatch) -> Float[Tensor, "batch steps slots width"]:
        """m_0..m_T of every sequence, `[B, T+1, K, D]`."""

    @abstractmethod
    def targets_at(
        self, batch: AnyBatch, times: Int[Tensor, "batch count"]
    ) -> Float[Tensor, "batch count slots width"]:
        """m_t for the times asked, each in 0..T."""

    @abstractmethod
    def empty_target_of(self, batch: AnyBatch) -> Float[Tensor, "1 1 slots width"]:
        """m_0, which is the same for all sequences."""

    @abstractmethod
    def readout(self, m: Float[Tensor, "... slots width"]) -> Float[Tensor, "... parameters"]:
        """The teacher's parameters of y_t from m_t."""

    @abstractmethod
    def future_decoder(self) -> nn.Module:
        """D, from memories and the inputs that follow to the outputs of futures."""


@final
class StoredTargets(nn.Module, TargetSource):
    """Labels that came with the batch, and the teacher's readout."""

    def __init__(self, readout: nn.Module) -> None:
        super().__init__()
        self.read = readout

    def targets_of(self, batch: AnyBatch) -> Tensor:
        """See `Oracle`; float32 from half precision. Raises `UsageError` where there are none."""
        if not isinstance(batch, BatchWithTargets):
            raise UsageError("A batch came without labels; take batches from a label store.")
        return batch.targets.to(torch.promote_types(batch.targets.dtype, torch.float32))

    def targets_at(self, batch: AnyBatch, times: Tensor) -> Tensor:
        """See `Oracle`."""
        return take(self.targets_of(batch), times)

    def empty_target_of(self, batch: AnyBatch) -> Tensor:
        """See `Oracle`."""
        return self.targets_of(batch)[:1, :1]

    def readout(self, m: Tensor) -> Tensor:
        """See `Oracle`."""
        return self.read(m)

    def future_decoder(self) -> nn.Module:
        """Stored labels bring none; raises `UsageError`."""
        raise UsageError(
            "Consistency decodes futures, and stored labels come without a decoder; set "
            "smt.consistency to 0 or train with the teacher itself."
        )
