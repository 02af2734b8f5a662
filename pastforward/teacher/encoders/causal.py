"""L2. A causal Transformer, and a head that reads memories from its states, all t in one pass."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pastforward.blocks import Transformer
from pastforward.inputs import embedding
from pastforward.memory import rms_norm
from pastforward.teacher.encoders.base import Encoder
from pastforward.teacher.encoders.heads import MemoryHead
from pastforward.types import Signature


class CausalEncoder(Encoder):
    """Labels of all prefixes, the empty one included, in one pass of a causal Transformer."""

    def __init__(
        self, signature: Signature, width: int, depth: int, heads: int,
        pool: MemoryHead, chunk: int | None = None,
    ) -> None:  # fmt: skip
        """`pool` reads memories from the tower's states; `piece` as in `Tower`."""
        super().__init__()
        self.embed = embedding(signature.inputs, width)
        self.start = nn.Parameter(torch.randn(width))
        self.transformer = Transformer(
            width, depth, heads, signature.length + 1, causal=True, chunk=chunk
        )
        self.pool = pool

    def targets(self, x: Tensor) -> Tensor:
        """See `Encoder`."""
        return rms_norm(self.pool(self._states(x)))

    def at(self, x: Tensor, times: Tensor) -> Tensor:
        """See `Encoder`; states are computed for all steps, memories for the times asked."""
        return rms_norm(self.pool(self._states(x), times))

    def empty(self, x: Tensor) -> Tensor:
        """See `Encoder`."""
        return self.targets(x[:1, :0])

    def _states(self, x: Tensor) -> Float[Tensor, "batch steps width"]:
        return self.transformer(x, enter=self._enter)

    def _enter(self, x: Tensor) -> Float[Tensor, "batch steps width"]:
        e = self.embed(x)
        start = self.start.to(e.dtype).expand(e.shape[0], 1, -1)
        return torch.cat([start, e], 1)
