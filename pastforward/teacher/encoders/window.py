"""L2. The paper's encoder: a bidirectional Transformer over the last Tc inputs and K registers."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.blocks import Transformer, embedding
from pastforward.memory import rms_norm
from pastforward.pieces import Piece
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import WindowConfig
from pastforward.teacher.encoders.base import Encoder
from pastforward.types import MemoryShape, Signature


@final
class WindowEncoder(Encoder):
    """Full attention over the last Tc inputs and K registers; one pass per memory.

    Source: Kumar & Isola 2026, arXiv 2606.06479.
    """

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: WindowConfig
    ) -> None:
        super().__init__()
        self.context, self.slots = own.context or signature.length, memory.slots
        width = config.width
        self.embed = embedding(signature.inputs, width)
        self.registers = nn.Parameter(torch.randn(memory.slots, width))
        self.transformer = Transformer(
            width, config.depth, config.heads, self.context + memory.slots, causal=False
        )
        self.project = nn.Linear(width, memory.width)

    @override
    def targets(self, x: Tensor) -> Tensor:
        times = torch.arange(x.shape[1] + 1, device=x.device)
        return self.targets_at(x, times.expand(x.shape[0], -1))

    @override
    def whole_because(self) -> None:
        return None

    @override
    def targets_of_piece(self, x: Tensor, piece: Piece) -> Tensor:
        times = torch.arange(piece.begin, piece.end + 1, device=x.device)
        return self.targets_at(x, times.expand(x.shape[0], -1))

    @override
    def targets_at(self, x: Tensor, times: Tensor) -> Tensor:
        # The windows of all times are one batch of B * count sequences of length Tc.
        offsets = torch.arange(-self.context, 0, device=x.device)
        index = times.unsqueeze(-1) + offsets
        rows = torch.arange(x.shape[0], device=x.device)[:, None, None]
        windows = x[rows, index.clamp(min=0)]
        memories = self._encode(windows.flatten(0, 1), index.flatten(0, 1) >= 0)
        return memories.unflatten(0, times.shape)

    @override
    def empty_target(self, x: Tensor) -> Tensor:
        return self.targets_at(x[:1], x.new_zeros(1, 1, dtype=torch.long))  # a window of padding

    def _encode(self, x: Tensor, present: Tensor) -> Float[Tensor, "count slots width"]:
        """One memory `[N, K, D]` per window `[N, Tc]`; `present` is False on padding."""
        registers = self.registers.expand(x.shape[0], -1, -1)
        tokens = torch.cat([self.embed(x), registers], 1)
        mask = F.pad(present, (0, self.slots), value=True)[:, None, None]
        return rms_norm(self.project(self.transformer(tokens, mask)[:, -self.slots :]))
