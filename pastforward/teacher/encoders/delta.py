"""L2. The delta encoder: matrices that inputs rotate and rewrite, by a linear recurrence.

    M_t = (I - b_t k_t k_t') R_t M_{t-1} + b_t k_t v_t'      a matrix [n, D / n] in a slot
          erase the key's value            write its new one

R_t is a product of Householder reflections chosen by x_{t-1} and x_t, the key k_t comes from
x_{t-1}, the value v_t from x_t: the memory maps a symbol to the one that followed it. (Delta rule:
Schlag et al. 2021, arXiv 2102.11174; products of reflections: Grazzi et al. 2024, arXiv
2411.12537.) The other slots hold x_t, so that a student can read x_{t-1} from m_{t-1}.

A step depends on the memory and two inputs alone, so a student can reproduce it: no state of a
Transformer bypasses the memory.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.blocks import Mlp, embedding
from pastforward.errors import UsageError
from pastforward.memory import rms_norm
from pastforward.pieces import Piece
from pastforward.scan import matrices_of_piece, matrix_recurrence
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import DeltaConfig
from pastforward.teacher.encoders.base import Encoder
from pastforward.types import MemoryShape, Signature

_REFLECTION_BIAS, _WRITE_BIAS = 1.5, -4.0
"""Initial logits of beta / 2. Reflections begin near beta = 2, which loses nothing; writes begin
near beta = 0, since a write erases."""


@final
class DeltaEncoder(Encoder):
    """Target memories of all prefixes in about 2 sqrt(T) serial products of small matrices."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: DeltaConfig
    ) -> None:
        """Raises `UsageError` for a memory that can't hold such matrices."""
        super().__init__()
        width, n, steps = config.width, own.key_dim, own.householder_steps
        self.memory, self.key_dim, self.householder_steps = memory, n, steps
        self.matrices = count = own.matrices or max(1, memory.slots // 2)
        if count > memory.slots or memory.width % n:
            raise UsageError(
                f"A delta encoder fills {count} of K = {memory.slots} slots with matrices of "
                f"{n} rows, D = {memory.width} numbers each; give --encoder.matrices up to K and "
                "an --encoder.key-dim that divides D, or other --student.slots and --student.width."
            )
        self.embed = embedding(signature.inputs, width)
        self.moves = Mlp(2 * width, width, count * (steps * n + steps + 1))
        self.key = nn.Linear(width, count * n)
        self.value = nn.Linear(width, count * (memory.width // n))
        rest = memory.slots - count
        self.input = nn.Linear(width, rest * memory.width) if rest else None
        self.start = nn.Parameter(torch.randn(memory.slots, memory.width))
        if steps:
            beta = self.moves.down.bias.detach().view(count, -1)[:, steps * n :]
            nn.init.constant_(beta[:, :-1], _REFLECTION_BIAS)
            nn.init.constant_(beta[:, -1:], _WRITE_BIAS)

    @override
    def targets(self, x: Tensor) -> Tensor:
        return self.targets_of_piece(x, Piece(0, (x.shape[1],)))

    @override
    def whole_because(self) -> None:
        return None

    @override
    def targets_of_piece(self, x: Tensor, piece: Piece) -> Tensor:
        # In full precision: rounding errors of a product of T matrices accumulate.
        with torch.autocast(x.device.type, enabled=False):
            start = self.start.expand(len(x), 1, -1, -1)
            first = start[:, :, : self.matrices].unflatten(-1, (self.key_dim, -1))
            e = self.embed(x[:, max(0, piece.begin - 1) : piece.end])
            transitions = self._transitions(e, piece)
            if piece.group is None:
                matrices = matrix_recurrence(*transitions, first).flatten(-2)
            else:
                matrices = matrices_of_piece(*transitions, first, piece).flatten(-2)
            if self.input is None:
                return rms_norm(matrices)
            inputs = self.input(e).unflatten(-1, (-1, self.memory.width))
            if not piece.begin:
                inputs = torch.cat([start[:, :, self.matrices :], inputs], 1)
            return rms_norm(torch.cat([matrices, inputs], 2))

    def _transitions(
        self, e: Float[Tensor, "batch steps width"], piece: Piece
    ) -> tuple[Tensor, Tensor]:
        """A_t `[B, T, matrices, n, n]` and W_t `[.., n, D / n]` of M_t = A_t M_{t-1} + W_t.

        e begins with that of the step before the piece, if there is one.
        """
        n, steps = self.key_dim, self.householder_steps
        before = F.pad(e, (0, 0, 1, 0))[:, :-1]
        if piece.begin:
            before, e = before[:, 1:], e[:, 1:]
        moves = self.moves(torch.cat([e, before], -1)).unflatten(-1, (self.matrices, -1))
        axes, beta = moves.split([steps * n, steps + 1], -1)
        beta = 2 * torch.sigmoid(beta)[..., None, None]  # 0: identity, 1: projection, 2: reflection
        key = self.key(before).unflatten(-1, (self.matrices, 1, n))
        axes = F.normalize(torch.cat([axes.unflatten(-1, (steps, n)), key], -2), dim=-1)
        value = self.value(e).unflatten(-1, (self.matrices, 1, -1))
        value = F.rms_norm(value, value.shape[-1:])
        # [A | W] from [I | 0]: each factor I - b k k' multiplies both, and the last one writes.
        moved = torch.eye(n, n + value.shape[-1], device=e.device, dtype=e.dtype)
        for step in range(steps + 1):
            k, b = axes[..., step, :].unsqueeze(-1), beta[..., step, :, :]
            change = -k.transpose(-1, -2) @ moved
            if step == steps:
                change = change + F.pad(value, (n, 0))
            moved = moved + b * k @ change
        return moved[..., :n], moved[..., n:]
