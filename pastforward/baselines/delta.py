"""L2. Layers of the delta rule: matrices that forget a key's old value as they write its new one.

    S_t = (I - b_t k_t k_t') S_{t-1} + b_t k_t v_t',    y_t = S_t' q_t        for each head

DeltaNet (Yang et al. 2024, arXiv 2406.06484; Schlag et al. 2021, arXiv 2102.11174): keys and
queries of length 1, after a short causal convolution, outputs normalised. b_t lies between 0 and 2,
so that a step may also reflect (Grazzi et al. 2024, arXiv 2411.12537): it tracks parity.
"""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Recurrence, RecurrentBaseline
from pastforward.scan import matrix_recurrence
from pastforward.types import Signature

HEAD = 8
"""Rows and columns of a matrix; it divides the width of a layer."""
_TAPS = 4
"""Steps that the convolution sees."""


@final
class DeltaRule(Recurrence):
    """A matrix for every eight channels; its state is all matrices and the last three inputs."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.taps = nn.Parameter(torch.randn(_TAPS, width) / _TAPS**0.5)
        self.read = nn.Linear(width, 3 * width)
        self.strength = nn.Linear(width, width // HEAD)
        self.out = nn.Linear(width, width)

    @override
    def forward(self, u: Tensor) -> Tensor:
        before = F.pad(u, (0, 0, _TAPS - 1, 0))
        move, write, query = self._parts(before.unfold(1, _TAPS, 1).transpose(2, 3))
        start = write.new_zeros(len(u), 1, *write.shape[2:])
        return self._leave(matrix_recurrence(move, write, start)[:, 1:], query)

    @override
    def start(self, count: int) -> Tensor:
        # [B, matrices and inputs, width]
        return self.out.weight.new_zeros(count, HEAD + _TAPS - 1, self.width)

    @override
    def step(self, state: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        seen = torch.cat([state[:, HEAD:], u[:, None]], 1)
        move, write, query = self._parts(seen)
        matrices = move @ state[:, :HEAD].unflatten(2, (-1, HEAD)).transpose(1, 2) + write
        kept = torch.cat([matrices.transpose(1, 2).flatten(2), seen[:, 1:]], 1)
        return self._leave(matrices, query), kept

    def _parts(self, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """I - b k k', b k v' and q of steps that see `[..., taps, width]`, oldest first."""
        h = F.silu((self.taps * seen).sum(-2))
        key, value, query = self.read(h).unflatten(-1, (-1, 3, HEAD)).unbind(-2)
        key, query = F.normalize(key, dim=-1), F.normalize(query, dim=-1)
        written = 2 * torch.sigmoid(self.strength(h))[..., None, None] * key[..., None]
        move = torch.eye(HEAD, dtype=h.dtype, device=h.device) - written * key[..., None, :]
        return move, written * value[..., None, :], query

    def _leave(self, matrices: Tensor, query: Tensor) -> Tensor:
        read = (query[..., None, :] @ matrices).squeeze(-2)
        return self.out(F.rms_norm(read, (HEAD,)).flatten(-2))


def build_delta(signature: Signature, config: BaselineConfig) -> RecurrentBaseline:
    """'delta' of `BASELINES`."""
    assert config.width is not None
    layers = [DeltaRule(config.width) for _ in range(config.depth)]
    return RecurrentBaseline(signature, config, layers)
