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
from pastforward.encoder import Encoder
from pastforward.inputs import embedding
from pastforward.memory import rms_norm, take
from pastforward.recurrence import matrix_recurrence
from pastforward.types import MemoryShape, Signature, UsageError

_MOSTLY, _SELDOM = 1.5, -4.0
"""Where inputs turn the matrices, amounts begin near reflections, which lose nothing, and hardly
anything is written, which erases."""


class DeltaEncoder(Encoder):
    """Labels of all prefixes at once, in about 2 sqrt(T) products of small matrices."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, width: int,
        matrices: int | None = None, keys: int = 4, turns: int = 0,
    ) -> None:  # fmt: skip
        """`matrices` slots, half when not given, have `keys` = n rows; R has `turns` reflections.

        Raises `UsageError` for a memory that can't be cut so.
        """
        super().__init__()
        self.memory, self.keys, self.turns = memory, keys, turns
        self.matrices = count = max(1, memory.slots // 2) if matrices is None else matrices
        if count > memory.slots or memory.width % keys:
            raise UsageError(
                f"A delta encoder fills {count} of K = {memory.slots} slots with matrices of "
                f"{keys} rows, D = {memory.width} numbers each; give --teacher.matrices up to K, "
                "--teacher.keys that divide D, or another --student.slots and --student.width."
            )
        self.embed = embedding(signature.inputs, width)
        self.moves = Mlp(2 * width, width, count * (turns * keys + turns + 1))
        self.key = nn.Linear(width, count * keys)
        self.value = nn.Linear(width, count * (memory.width // keys))
        rest = memory.slots - count
        self.input = nn.Linear(width, rest * memory.width) if rest else None
        self.start = nn.Parameter(torch.randn(memory.slots, memory.width))
        if turns:
            amounts = self.moves.down.bias.detach().view(count, -1)[:, turns * keys :]
            nn.init.constant_(amounts[:, :-1], _MOSTLY)
            nn.init.constant_(amounts[:, -1:], _SELDOM)

    def labels(self, x: Tensor) -> Tensor:
        """See `Encoder`; in full precision, since errors of a product of T matrices add up."""
        with torch.autocast(x.device.type, enabled=False):
            e = self.embed(x)
            start = self.start.expand(len(e), 1, -1, -1)
            matrices = start[:, :, : self.matrices].unflatten(-1, (self.keys, -1))
            matrices = matrix_recurrence(*self._changes(e), matrices).flatten(-2)
            if self.input is None:
                return rms_norm(matrices)
            inputs = self.input(e).unflatten(-1, (-1, self.memory.width))
            inputs = torch.cat([start[:, :, self.matrices :], inputs], 1)
            return rms_norm(torch.cat([matrices, inputs], 2))

    def at(self, x: Tensor, times: Int[Tensor, "batch count"]) -> Tensor:
        """See `Encoder`."""
        return take(self.labels(x), times)

    def empty(self, x: Tensor) -> Tensor:
        """See `Encoder`."""
        return self.labels(x[:1, :0])

    def _changes(self, e: Float[Tensor, "batch steps width"]) -> tuple[Tensor, Tensor]:
        """A_t `[B, T, matrices, n, n]` and W_t `[.., n, D / n]` of M_t = A_t M_{t-1} + W_t."""
        n, turns = self.keys, self.turns
        before = F.pad(e, (0, 0, 1, 0))[:, :-1]
        moves = self.moves(torch.cat([e, before], -1)).unflatten(-1, (self.matrices, -1))
        axes, amounts = moves.split([turns * n, turns + 1], -1)
        amounts = 2 * torch.sigmoid(amounts)[..., None, None]  # 0 keeps, 1 erases, 2 reflects
        key = self.key(before).unflatten(-1, (self.matrices, 1, n))
        axes = F.normalize(torch.cat([axes.unflatten(-1, (turns, n)), key], -2), dim=-1)
        value = self.value(e).unflatten(-1, (self.matrices, 1, -1))
        value = F.rms_norm(value, value.shape[-1:])
        # Both at once: each factor I - b k k' acts on [A | W], and the last one writes.
        whole = torch.eye(n, n + value.shape[-1], device=e.device, dtype=e.dtype)
        for turn in range(turns + 1):
            axis, amount = axes[..., turn, :].unsqueeze(-1), amounts[..., turn, :, :]
            change = -axis.transpose(-1, -2) @ whole
            if turn == turns:
                change = change + F.pad(value, (n, 0))
            whole = whole + amount * axis @ change
        return whole[..., :n], whole[..., n:]
