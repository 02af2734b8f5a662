"""L2. The teacher: encoder and decoder. It labels, then it is thrown away."""

from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn

from pastforward.blocks import Attention
from pastforward.config import TeacherConfig
from pastforward.errors import UsageError, nearest
from pastforward.memory import take
from pastforward.scan import DiagonalRecurrence
from pastforward.teacher.decoder import Decoder
from pastforward.teacher.encoders.base import Encoder
from pastforward.teacher.encoders.causal import CausalEncoder
from pastforward.teacher.encoders.delta import DeltaEncoder
from pastforward.teacher.encoders.heads import LinearHead, RegisterHead, StateHead
from pastforward.teacher.encoders.window import WindowEncoder
from pastforward.teacher.target_source import TargetSource
from pastforward.types import AnyBatch, BatchWithTargets, MemoryShape, Signature


class Teacher(nn.Module, TargetSource):
    """E and D, trained so that m_t predicts y_t..y_{t+F-1}."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, encoder: Encoder, decoder: Decoder
    ) -> None:
        super().__init__()
        self.signature, self.memory = signature, memory
        self.encoder, self.decoder = encoder, decoder

    def targets(self, x: Tensor) -> Float[Tensor, "batch steps slots width"]:
        """m_0..m_T, `[B, T+1, K, D]`."""
        return self.encoder.targets(x)

    def targets_of(self, batch: AnyBatch) -> Tensor:
        """See `Oracle`; labels that a batch brought are kept."""
        return batch.targets if isinstance(batch, BatchWithTargets) else self.targets(batch.x)

    def targets_at(self, batch: AnyBatch, times: Tensor) -> Tensor:
        """See `Oracle`; labels that a batch brought are kept."""
        known = isinstance(batch, BatchWithTargets)
        return take(batch.targets, times) if known else self.encoder.at(batch.x, times)

    def empty_target_of(self, batch: AnyBatch) -> Tensor:
        """See `Oracle`."""
        return self.encoder.empty(batch.x)

    def readout(self, m: Tensor) -> Tensor:
        """See `Oracle`."""
        return self.decoder.readout(m)

    def future_decoder(self) -> nn.Module:
        """See `Oracle`."""
        return self.decoder

    def predict(self, x: Tensor) -> Float[Tensor, "batch length parameters"]:
        """Parameters of y_1..y_T read from the labels."""
        return self.readout(self.targets(x)[:, 1:])


def build_teacher(config: TeacherConfig, signature: Signature, memory: MemoryShape) -> Teacher:
    """Encoder and decoder for memories of the student's shape; raises `UsageError` on misfits."""
    width, heads = config.width, config.heads
    if width % (2 * heads):
        raise _misfit(f"the teacher's width {width} is no multiple of twice its {heads} heads")
    encoder = _build_encoder(config, signature, memory)
    decoder = Decoder(signature, memory, config, _recurrence(encoder))
    teacher = Teacher(signature, memory, encoder, decoder)
    for part in teacher.modules():
        if isinstance(part, Attention | RegisterHead):
            part.scale_query_key(config.query_key_scale)
    return teacher


def _recurrence(encoder: Encoder) -> DiagonalRecurrence | None:
    """How memories move, for the decoder: a copy, since weights are saved once and by one name."""
    if isinstance(encoder, CausalEncoder) and isinstance(encoder.pool, LinearHead):
        return deepcopy(encoder.pool.recurrence)
    return None


def _build_encoder(config: TeacherConfig, signature: Signature, memory: MemoryShape) -> Encoder:
    width, depth, heads = config.width, config.depth, config.heads
    if config.encoder == "window":
        window = config.window or signature.length
        return WindowEncoder(signature, memory, window, width, depth, heads)
    if config.encoder == "delta":
        return DeltaEncoder(
            signature, memory, width, config.matrices, config.key_dim, config.householder_steps
        )
    steps = signature.length + 1
    pools = {
        "registers": lambda: RegisterHead(width, heads, steps, memory),
        "state": lambda: StateHead(width, memory),
        "linear": lambda: LinearHead(
            width, DiagonalRecurrence(memory, config.initial_decay_time, 2.0 * steps), memory
        ),
    }
    if config.encoder not in pools:
        known = [*pools, "delta", "window"]
        raise UsageError(
            f"There is no encoder '{config.encoder}'; {nearest(config.encoder, known)}."
        )
    pool = pools[config.encoder]()
    return CausalEncoder(signature, width, depth, heads, pool, config.recompute)


def _misfit(what: str) -> UsageError:
    return UsageError(f"Sizes don't fit: {what}; change one of them.")
