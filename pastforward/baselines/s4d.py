"""L2. S4D: a diagonal state space layer (Gu, Gupta, Goel & Re 2022), trained by convolution.

Every channel has N / 2 complex modes, discretised by zero-order hold,

    x_t = exp(dt A) x_{t-1} + dB u_t,    y_t = 2 Re(C x_t) + D u_t.

Unrolled it is a convolution with K_l = 2 Re(C exp(l dt A) dB), which a Fourier transform does for
all t at once.
"""

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Recurrence, RecurrentBaseline
from pastforward.types import Signature

MODES = 32
"""N / 2, complex modes of a channel."""
_SLOWEST, _FASTEST = 1e-3, 1e-1


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


def build(signature: Signature, config: BaselineConfig) -> RecurrentBaseline:
    """`config.depth` layers of S4D."""
    assert config.width is not None
    layers = [S4D(config.width) for _ in range(config.depth)]
    return RecurrentBaseline(signature, config, layers)
