"""L2. Where target memories come from: a `Teacher` that runs, or stored ones of a batch."""

from abc import ABC, abstractmethod
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from typing_extensions import override

from pastforward.errors import UsageError
from pastforward.memory import take
from pastforward.pieces import Piece
from pastforward.types import AnyBatch, BatchWithTargets, Memories, Memory


class TargetSource(ABC):
    """Abstract: what methods need that fit a student."""

    @abstractmethod
    def targets_of(self, batch: AnyBatch) -> Memories:
        """m_0..m_T of every sequence, `[B, T+1, K, D]`."""

    @abstractmethod
    def targets_of_piece(self, batch: AnyBatch, piece: Piece) -> Memories:
        """m_begin..m_end of a piece of every sequence; processes of all pieces call it together."""

    @abstractmethod
    def targets_at_times(
        self, batch: AnyBatch, times: Int[Tensor, "batch count"]
    ) -> Float[Tensor, "batch count slots width"]:
        """m_t at the given times, each in 0..T."""

    @abstractmethod
    def empty_target_of(self, batch: AnyBatch) -> Float[Tensor, "1 1 slots width"]:
        """m_0, which is the same for all sequences."""

    @abstractmethod
    def readout(self, m: Memory) -> Float[Tensor, "... parameters"]:
        """The teacher's parameters of p(y_t | m_t)."""

    @abstractmethod
    def future_decoder(self) -> nn.Module:
        """D: from memories and the inputs that follow to the parameters of future outputs."""


@final
class StoredTargets(nn.Module, TargetSource):
    """Target memories that came with the batch, and the teacher's readout."""

    def __init__(self, readout: nn.Module) -> None:
        super().__init__()
        self.teacher_readout = readout

    @override
    def targets_of(self, batch: AnyBatch) -> Tensor:
        """At least float32. Raises `UsageError` where the batch has none."""
        if not isinstance(batch, BatchWithTargets):
            raise UsageError("A batch came without targets; take batches from a label store.")
        return batch.targets.to(torch.promote_types(batch.targets.dtype, torch.float32))

    @override
    def targets_of_piece(self, batch: AnyBatch, piece: Piece) -> Tensor:
        return self.targets_of(batch)[:, piece.begin : piece.end + 1]

    @override
    def targets_at_times(self, batch: AnyBatch, times: Tensor) -> Tensor:
        return take(self.targets_of(batch), times)

    @override
    def empty_target_of(self, batch: AnyBatch) -> Tensor:
        return self.targets_of(batch)[:1, :1]

    @override
    def readout(self, m: Tensor) -> Tensor:
        return self.teacher_readout(m)

    @override
    def future_decoder(self) -> nn.Module:
        """Raises `UsageError`: a label store holds no decoder."""
        raise UsageError(
            "Consistency decodes futures, and a label store holds no decoder; set "
            "--smt.consistency to 0 or train with the teacher itself."
        )
