"""L2. Layers of linear recurrences: S4D by convolution, minGRU by a scan.

S4D is a diagonal state space (Gu, Gupta, Goel & Re 2022). Every channel has N / 2 complex modes,
discretised by zero-order hold,

    x_t = exp(dt A) x_{t-1} + dB u_t,    y_t = 2 Re(C x_t) + D u_t.

Unrolled it is a convolution with K_l = 2 Re(C exp(l dt A) dB), done for all t at once by FFT.

minGRU (Feng et al. 2024, arXiv 2410.01201) is a GRU whose gates see the input alone, so that
h_t = (1 - z_t) h_{t-1} + z_t h~_t is linear in h, and a scan finds all h_t in log T passes.
"""

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Features, Recurrence, RecurrentBaseline
from pastforward.types import Signature

MODES = 32
"""N / 2, complex modes of a channel of S4D."""
_SLOWEST, _FASTEST = 1e-3, 1e-1
LONGEST = 1000
"""Longest time constant of minGRU at initialisation, in steps; the shortest is 1, as in S4D."""


@final
class S4D(Recurrence):
    """Modes as in S4D-Lin, A_n = -1/2 + i pi n; then GELU and a gated linear map, as published."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        span = math.log(_FASTEST) - math.log(_SLOWEST)
        self.log_dt = nn.Parameter(math.log(_SLOWEST) + span * torch.rand(width))
        # Flat, so that weight decay, which is for matrices, leaves the modes alone.
        self.log_decay = nn.Parameter(torch.full((width * MODES,), math.log(0.5)))
        self.frequency = nn.Parameter((math.pi * torch.arange(MODES)).repeat(width))
        self.read = nn.Parameter(math.sqrt(0.5) * torch.randn(2, width, MODES))
        self.skip = nn.Parameter(torch.randn(width))
        self.out = nn.Linear(width, 2 * width)

    @override
    def forward(self, u: Tensor) -> Tensor:
        length = u.shape[1]
        rate, read = self._modes()
        powers = rate.unsqueeze(-1) * torch.arange(length, device=u.device)
        kernel = 2 * torch.einsum("wn,wnl->wl", read, powers.exp()).real
        whole = u.to(kernel.dtype).transpose(1, 2)  # no FFT in half precision
        # Zero-padded to twice the length: a linear, not a circular convolution.
        spectrum = torch.fft.rfft(whole, n=2 * length) * torch.fft.rfft(kernel, n=2 * length)
        mixed = torch.fft.irfft(spectrum, n=2 * length)[..., :length].transpose(1, 2)
        return self._leave(mixed, u)

    @override
    def start(self, count: int) -> Tensor:
        # complex [B, width, N / 2]
        rate, _ = self._modes()
        return rate.new_zeros(count, *rate.shape)

    @override
    def step(self, state: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        rate, read = self._modes()
        state = rate.exp() * state + u.unsqueeze(-1)
        return self._leave(2 * (read * state).sum(-1).real, u), state

    def _modes(self) -> tuple[Tensor, Tensor]:
        """dt A, and C dB, `[width, N / 2]`: a mode is read with what it was written with."""
        shape = (self.width, MODES)
        decay = -torch.exp(self.log_decay).view(shape)
        a = torch.complex(decay, self.frequency.view(shape))
        rate = a * torch.exp(self.log_dt).unsqueeze(-1)
        return rate, torch.complex(self.read[0], self.read[1]) * (rate.exp() - 1.0) / a

    def _leave(self, mixed: Tensor, u: Tensor) -> Tensor:
        return F.glu(self.out(F.gelu(mixed + self.skip * u)), -1)


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


def scan(keep: Features, add: Features) -> Features:
    """h_t = keep_t h_{t-1} + add_t from h_0 = 0, all t in log2 T passes (Hillis & Steele 1986).

    After the pass of distance d, (keep, add) at t stand for the last 2d steps up to t in one.
    """
    distance, length = 1, add.shape[1]
    while distance < length:
        add = add + keep * F.pad(add[:, :-distance], (0, 0, distance, 0))
        keep = keep * F.pad(keep[:, :-distance], (0, 0, distance, 0), value=1.0)
        distance *= 2
    return add


def build_s4d(signature: Signature, config: BaselineConfig) -> RecurrentBaseline:
    """'s4d' of `BASELINES`."""
    return _build(S4D, signature, config)


def build_mingru(signature: Signature, config: BaselineConfig) -> RecurrentBaseline:
    """'mingru' of `BASELINES`."""
    return _build(MinGRU, signature, config)


def _build(
    layer: Callable[[int], Recurrence], signature: Signature, config: BaselineConfig
) -> RecurrentBaseline:
    assert config.width is not None
    layers = [layer(config.width) for _ in range(config.depth)]
    return RecurrentBaseline(signature, config, layers)
