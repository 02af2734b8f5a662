"""L2. A causal Transformer that predicts y_t directly at every t: the ceiling.

It may look at every input again, so it has no memory to squeeze and no bounded cost a step.
"""

from typing import final

from torch import Tensor

from pastforward.baselines.base import Baseline
from pastforward.blocks import Transformer
from pastforward.config import TeacherConfig
from pastforward.errors import UsageError
from pastforward.types import Signature

HEADS = 4


@final
class Attention(Baseline):
    """A causal tower between embedding and readout."""

    def __init__(
        self, signature: Signature, width: int, hidden: int, depth: int, heads: int = HEADS
    ) -> None:
        super().__init__(signature, width, hidden)
        self.transformer = Transformer(width, depth, heads, signature.length, causal=True)

    def mix(self, e: Tensor) -> Tensor:
        """See `Peer`."""
        return self.transformer(e)


def build_transformer(config: TeacherConfig, signature: Signature) -> Attention:
    """What output distillation learns from: no memory in between.

    Raises `UsageError` on misfits.
    """
    if config.width % (2 * config.heads):
        raise UsageError(
            f"Sizes don't fit: the Transformer's width {config.width} is no multiple of twice its "
            f"{config.heads} heads; change --teacher.width or --teacher.heads."
        )
    return Attention(signature, config.width, 2 * config.width, config.distill_depth, config.heads)
