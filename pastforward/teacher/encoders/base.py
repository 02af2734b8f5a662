"""L2. The contract of an encoder: target memories of all prefixes of a sequence."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.errors import UsageError
from pastforward.memory import rms_norm, take
from pastforward.pieces import Piece
from pastforward.types import Memories, MemoryShape

SCALE = 2
"""Numbers of a slot that tell its scale. Two, as modes come in pairs and an even D is usual."""


def require_scale(memory: MemoryShape) -> int:
    """D - 2, the numbers of a slot beside its scale; raises `UsageError` where they are no pairs.

    Modes of a linear recurrence come in pairs.
    """
    if memory.width < SCALE + 2 or memory.width % 2:
        raise UsageError(
            f"A slot holds its scale in {SCALE} numbers and the rest in pairs, and D = "
            f"{memory.width}; give a --student.width that is even and at least {SCALE + 2}, or "
            "another --encoder."
        )
    return memory.width - SCALE


def with_scale(states: Float[Tensor, "... slots numbers"]) -> Float[Tensor, "... slots width"]:
    """Memories from states that need their scale to move on: D = numbers + 2.

    The norm takes a state's scale away; the last two numbers are 1 before it, 1 / scale after it.
    """
    return rms_norm(F.pad(states, (0, SCALE), value=1.0))


class Encoder(nn.Module, ABC):
    """Abstract. E: x -> target memories. Causal: m_t depends on x_1..x_t alone.

    A subclass is built as `X(signature, memory, config, own)` and defines `targets`; the other two
    may be overridden where there is a cheaper way.
    """

    @abstractmethod
    def targets(self, x: Tensor) -> Memories:
        """m_0..m_T of every sequence, `[B, T+1, K, D]`; x is `[B, T]` or `[B, T, C]`."""

    def whole_because(self) -> str | None:
        """Why memories can't be computed piece by piece; None where they can."""
        return "its memories need all that came before"

    def targets_of_piece(self, x: Tensor, piece: Piece) -> Memories:
        """m_begin..m_end of the sequences x, of which all steps are given; the same as `targets`.

        The processes of all pieces call it together. Only where `whole_because` is None.
        """
        raise NotImplementedError(self.whole_because())

    def targets_at(
        self, x: Tensor, times: Int[Tensor, "batch count"]
    ) -> Float[Tensor, "batch count slots width"]:
        """m_t at the given times, each in 0..T."""
        return take(self.targets(x), times)

    def empty_target(self, x: Tensor) -> Float[Tensor, "1 1 slots width"]:
        """m_0, which depends on no input; x tells device and kind."""
        return self.targets(x[:1, :0])
