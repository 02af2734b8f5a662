"""L2. minGRU (Feng et al. 2024, arXiv 2410.01201): a GRU whose gates see the input alone.

h_t = (1 - z_t) h_{t-1} + z_t h~_t is then linear in h, and a scan finds all h_t in log T passes.
"""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Recurrence, RecurrentBaseline
from pastforward.types import Signature

LONGEST = 1000
"""Longest time constant at initialisation, in steps; the shortest is 1, as in S4D."""


@final
class MinGRU(Recurrence):
    """A hidden state twice as wide as the layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gates = nn.Linear(width, 4 * width)
        self.out = nn.Linear(2 * width, width)
        # Gates that start half open forget within a few steps and get no gradient to hold longer
        # (chrono initialisation, Tallec & Ollivier 2018).
        with torch.no_grad():
            self.gates.bias[: 2 * width] = -math.log(LONGEST) * torch.rand(2 * width)

    @override
    def forward(self, u: Tensor) -> Tensor:
        keep, add = self._gates(u)
        return self.out(scan(keep, add))

    @override
    def start(self, count: int) -> Tensor:
        # [B, 2 width]
        return self.out.weight.new_zeros(count, self.out.in_features)

    @override
    def step(self, state: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        keep, add = self._gates(u)
        state = keep * state + add
        return self.out(state), state

    def _gates(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """1 - z_t, and z_t h~_t."""
        gate, candidate = self.gates(u).chunk(2, -1)
        return torch.sigmoid(-gate), torch.sigmoid(gate) * candidate


def scan(
    keep: Float[Tensor, "batch length width"], add: Float[Tensor, "batch length width"]
) -> Float[Tensor, "batch length width"]:
    """h_t = keep_t h_{t-1} + add_t from h_0 = 0, all t in log2 T passes (Hillis & Steele 1986).

    After the pass of distance d, (keep, add) at t stand for the last 2d steps up to t in one.
    """
    distance, length = 1, add.shape[1]
    while distance < length:
        earlier = F.pad(add[:, :-distance], (0, 0, distance, 0))
        add = add + keep * earlier
        keep = keep * F.pad(keep[:, :-distance], (0, 0, distance, 0), value=1.0)
        distance *= 2
    return add


def build(signature: Signature, config: BaselineConfig) -> RecurrentBaseline:
    """`config.depth` layers of MinGRU."""
    assert config.width is not None
    layers = [MinGRU(config.width) for _ in range(config.depth)]
    return RecurrentBaseline(signature, config, layers)
