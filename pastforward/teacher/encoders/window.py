"""L2. The paper's encoder: a bidirectional Transformer over the last Tc inputs and K registers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.blocks import Transformer
from pastforward.inputs import embedding
from pastforward.memory import rms_norm
from pastforward.teacher.encoders.base import Encoder
from pastforward.types import MemoryShape, Signature


class WindowEncoder(Encoder):
    """The paper's encoder: full attention over the last `window` inputs and K registers."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, window: int, width: int, depth: int,
        heads: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.window, self.slots = window, memory.slots
        self.embed = embedding(signature.inputs, width)
        self.registers = nn.Parameter(torch.randn(memory.slots, width))
        self.transformer = Transformer(width, depth, heads, window + memory.slots, causal=False)
        self.project = nn.Linear(width, memory.width)

    def targets(self, x: Tensor) -> Tensor:
        """See `Encoder`; one pass per prefix."""
        times = torch.arange(x.shape[1] + 1, device=x.device)
        return self.at(x, times.expand(x.shape[0], -1))

    def at(self, x: Tensor, times: Tensor) -> Tensor:
        """See `Encoder`; the windows of all times asked are one batch."""
        offsets = torch.arange(-self.window, 0, device=x.device)
        index = times.unsqueeze(-1) + offsets
        rows = torch.arange(x.shape[0], device=x.device)[:, None, None]
        windows = x[rows, index.clamp(min=0)]
        return self._encode(windows.flatten(0, 1), index.flatten(0, 1) >= 0).unflatten(
            0, times.shape
        )

    def empty(self, x: Tensor) -> Tensor:
        """See `Encoder`: a window of absences."""
        return self.at(x[:1], x.new_zeros(1, 1, dtype=torch.long))

    def _encode(self, x: Tensor, present: Tensor) -> Float[Tensor, "count slots width"]:
        """One memory `[N, K, D]` per window `[N, Tc]`; `present` is False on padding."""
        registers = self.registers.expand(x.shape[0], -1, -1)
        tokens = torch.cat([self.embed(x), registers], 1)
        seen = F.pad(present, (0, self.slots), value=True)[:, None, None]
        return rms_norm(self.project(self.transformer(tokens, seen)[:, -self.slots :]))
