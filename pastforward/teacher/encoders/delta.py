"""L1. The delta encoder: matrices that inputs turn and rewrite, a linear recurrence in each.

    M_t = (I - b_t k_t k_t') R_t M_{t-1} + b_t k_t v_t'      a matrix [n, D / n] in a slot
          what the key had, erased          its new value

R_t is a product of reflections that x_{t-1} and x_t choose, the key comes from x_{t-1}, the value
from x_t: "after that came this" (delta rule: Schlag et al. 2021, arXiv 2102.11174; reflections:
Grazzi et al. 2024, arXiv 2411.12537). The other slots hold x_t, so that a student knows x_{t-1}.

No state of a tower goes around the memory: whatever tells an output must be in it, at any distance.
And what a step does hangs on the memory and the input alone, so a student can follow.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.blocks import Mlp
from pastforward.errors import UsageError
from pastforward.inputs import embedding
from pastforward.memory import rms_norm, take
from pastforward.scan import matrix_recurrence
from pastforward.teacher.encoders.base import Encoder
from pastforward.types import MemoryShape, Signature

_MOSTLY, _SELDOM = 1.5, -4.0
"""Where inputs turn the matrices, amounts begin near reflections, which lose nothing, and hardly
anything is written, which erases."""


class DeltaEncoder(Encoder):
    """Labels of all prefixes at once, in about 2 sqrt(T) products of small matrices."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, width: int,
        matrices: int | None = None, key_dim: int = 4, householder_steps: int = 0,
    ) -> None:  # fmt: skip
        """`matrices` slots, half when not given, have `key_dim` = n rows; R has `turns` reflections.

        Raises `UsageError` for a memory that can't be cut so.
        """
        super().__init__()
        self.memory, self.key_dim, self.householder_steps = memory, key_dim, householder_steps
        self.matrices = count = max(1, memory.slots // 2) if matrices is None else matrices
        if count > memory.slots or memory.width % key_dim:
            raise UsageError(
                f"A delta encoder fills {count} of K = {memory.slots} slots with matrices of "
                f"{key_dim} rows, D = {memory.width} numbers each; give --teacher.matrices up to K, "
                "--teacher.key-dim that divide D, or another --student.slots and --student.width."
            )
        self.embed = embedding(signature.inputs, width)
        self.moves = Mlp(
            2 * width, width, count * (householder_steps * key_dim + householder_steps + 1)
        )
        self.key = nn.Linear(width, count * key_dim)
        self.value = nn.Linear(width, count * (memory.width // key_dim))
        rest = memory.slots - count
        self.input = nn.Linear(width, rest * memory.width) if rest else None
        self.start = nn.Parameter(torch.randn(memory.slots, memory.width))
        if householder_steps:
            amounts = self.moves.down.bias.detach().view(count, -1)[
                :, householder_steps * key_dim :
            ]
            nn.init.constant_(amounts[:, :-1], _MOSTLY)
            nn.init.constant_(amounts[:, -1:], _SELDOM)

    def targets(self, x: Tensor) -> Tensor:
        """See `Encoder`; in full precision, since errors of a product of T matrices add up."""
        with torch.autocast(x.device.type, enabled=False):
            e = self.embed(x)
            start = self.start.expand(len(e), 1, -1, -1)
            matrices = start[:, :, : self.matrices].unflatten(-1, (self.key_dim, -1))
            matrices = matrix_recurrence(*self._changes(e), matrices).flatten(-2)
            if self.input is None:
                return rms_norm(matrices)
            inputs = self.input(e).unflatten(-1, (-1, self.memory.width))
            inputs = torch.cat([start[:, :, self.matrices :], inputs], 1)
            return rms_norm(torch.cat([matrices, inputs], 2))

    def at(self, x: Tensor, times: Int[Tensor, "batch count"]) -> Tensor:
        """See `Encoder`."""
        return take(self.targets(x), times)

    def empty(self, x: Tensor) -> Tensor:
        """See `Encoder`."""
        return self.targets(x[:1, :0])

    def _changes(self, e: Float[Tensor, "batch steps width"]) -> tuple[Tensor, Tensor]:
        """A_t `[B, T, matrices, n, n]` and W_t `[.., n, D / n]` of M_t = A_t M_{t-1} + W_t."""
        n, householder_steps = self.key_dim, self.householder_steps
        before = F.pad(e, (0, 0, 1, 0))[:, :-1]
        moves = self.moves(torch.cat([e, before], -1)).unflatten(-1, (self.matrices, -1))
        axes, amounts = moves.split([householder_steps * n, householder_steps + 1], -1)
        amounts = 2 * torch.sigmoid(amounts)[..., None, None]  # 0 keeps, 1 erases, 2 reflects
        key = self.key(before).unflatten(-1, (self.matrices, 1, n))
        axes = F.normalize(torch.cat([axes.unflatten(-1, (householder_steps, n)), key], -2), dim=-1)
        value = self.value(e).unflatten(-1, (self.matrices, 1, -1))
        value = F.rms_norm(value, value.shape[-1:])
        # Both at once: each factor I - b k k' acts on [A | W], and the last one writes.
        whole = torch.eye(n, n + value.shape[-1], device=e.device, dtype=e.dtype)
        for turn in range(householder_steps + 1):
            axis, amount = axes[..., turn, :].unsqueeze(-1), amounts[..., turn, :, :]
            change = -axis.transpose(-1, -2) @ whole
            if turn == householder_steps:
                change = change + F.pad(value, (n, 0))
            whole = whole + amount * axis @ change
        return whole[..., :n], whole[..., n:]
