"""L2. The teacher: encoder and decoder. It gives target memories; discarded after training."""

from copy import deepcopy
from typing import final

from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from pastforward.blocks import Attention
from pastforward.cells.base import Reach
from pastforward.errors import UsageError
from pastforward.memory import take
from pastforward.pieces import Piece
from pastforward.teacher import TeacherConfig
from pastforward.teacher.decoder import Decoder
from pastforward.teacher.encoders import ENCODERS
from pastforward.teacher.encoders.base import Encoder
from pastforward.teacher.encoders.causal import LinearEncoder, RegisterHead
from pastforward.teacher.target_source import TargetSource
from pastforward.types import AnyBatch, BatchWithTargets, Memories, MemoryShape, Signature


@final
class Teacher(nn.Module, TargetSource):
    """E and D, trained so that m_t predicts y_t..y_{t+F-1}: a predictive state."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, encoder: Encoder, decoder: Decoder,
        reach: Reach | None = None,
    ) -> None:  # fmt: skip
        """`reach` maps what the encoder gives to what the student's cell can hold."""
        super().__init__()
        self._reach: Reach = reach or _as_it_is
        self.signature, self.memory = signature, memory
        self.encoder, self.decoder = encoder, decoder

    def targets(self, x: Tensor) -> Memories:
        """m_0..m_T, `[B, T+1, K, D]`, of x `[B, T]` or `[B, T, C]`."""
        return self._reach(self.encoder.targets(x))

    @override
    def targets_of(self, batch: AnyBatch) -> Tensor:
        return batch.targets if isinstance(batch, BatchWithTargets) else self.targets(batch.x)

    @override
    def targets_of_piece(self, batch: AnyBatch, piece: Piece) -> Tensor:
        if isinstance(batch, BatchWithTargets):
            return batch.targets[:, piece.begin : piece.end + 1]
        return self.encoder.targets_of_piece(batch.x, piece)

    @override
    def targets_at_times(self, batch: AnyBatch, times: Tensor) -> Tensor:
        if isinstance(batch, BatchWithTargets):
            return take(batch.targets, times)
        return self._reach(self.encoder.targets_at(batch.x, times))

    @override
    def empty_target_of(self, batch: AnyBatch) -> Tensor:
        return self._reach(self.encoder.empty_target(batch.x))

    @override
    def readout(self, m: Tensor) -> Tensor:
        return self.decoder.readout(m)

    @override
    def future_decoder(self) -> nn.Module:
        return self.decoder

    def predict(self, x: Tensor) -> Float[Tensor, "batch length parameters"]:
        """Parameters of y_1..y_T read from the target memories."""
        return self.readout(self.targets(x)[:, 1:])


def _as_it_is(m: Tensor) -> Tensor:
    return m


def build_teacher(
    config: TeacherConfig, signature: Signature, memory: MemoryShape,
    decodes_inputs: bool = False, reach: Reach | None = None,
) -> Teacher:  # fmt: skip
    """Encoder and decoder for memories of the student's shape.

    A decoder that `decodes_inputs` has heads for `SMTConfig.input_decoding`. `reach` is that of the
    student's cell.

    Raises `UsageError` for an unknown encoder, or for sizes that don't fit each other.
    """
    if config.width % (2 * config.heads):
        raise UsageError(
            f"Sizes don't fit: the teacher's width {config.width} is no multiple of twice its "
            f"{config.heads} heads; change --teacher.width or --teacher.heads."
        )
    encoder = _build_encoder(config, signature, memory)
    # A copy, not a shared module: each weight is saved once, under one name.
    moves = deepcopy(encoder.recurrence) if isinstance(encoder, LinearEncoder) else None
    decoder = Decoder(signature, memory, config, moves, decodes_inputs)
    teacher = Teacher(signature, memory, encoder, decoder, reach)
    for part in teacher.modules():
        if isinstance(part, Attention | RegisterHead):
            part.scale_query_key(config.query_key_scale)
    return teacher


def _build_encoder(config: TeacherConfig, signature: Signature, memory: MemoryShape) -> Encoder:
    own = ENCODERS.config(config.encoder, config.encoder_config)
    encoder = ENCODERS.load(config.encoder)(signature, memory, config, own)
    if not isinstance(encoder, Encoder):
        raise UsageError(
            f"'{config.encoder}' gave an object of type {type(encoder).__name__}; derive your "
            "encoder from pastforward.Encoder."
        )
    return encoder
