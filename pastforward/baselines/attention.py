"""L2. A causal Transformer that predicts y_t at every t from all inputs: no bounded memory."""

from typing import final

from torch import Tensor
from typing_extensions import override

from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Baseline
from pastforward.blocks import Transformer
from pastforward.errors import UsageError
from pastforward.types import Signature


@final
class Attention(Baseline):
    """A causal Transformer between embedding and readout."""

    def __init__(self, signature: Signature, config: BaselineConfig) -> None:
        """Raises `UsageError` where the width is no multiple of twice the heads (rotary pairs)."""
        super().__init__(signature, config)
        if self.width % (2 * config.heads):
            raise UsageError(
                f"Sizes don't fit: the Transformer's width {self.width} is no multiple of twice "
                f"its {config.heads} heads; change one of them."
            )
        self.transformer = Transformer(
            self.width, config.depth, config.heads, signature.length, causal=True
        )

    @override
    def features(self, e: Tensor) -> Tensor:
        return self.transformer(e)
