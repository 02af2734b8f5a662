"""L1. The readout, from a memory to a distribution of y_t, and functions of that distribution.

Tokens are categorical (parameters are logits), vectors diagonal Gaussians (mean, log of the
standard deviation). Losses are in nats, one per output; the caller applies the mask.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.blocks import Mlp
from pastforward.memory import flat
from pastforward.types import Kind, MemoryShape, Tokens


def parameter_count(kind: Kind) -> int:
    """P: how many numbers parametrise the distribution of one output."""
    return kind.size if isinstance(kind, Tokens) else 2 * kind.width


class Readout(nn.Module):
    """g: an MLP with one hidden layer, from the whole memory to the parameters of y_t."""

    def __init__(self, memory: MemoryShape, kind: Kind, hidden: int) -> None:
        super().__init__()
        self.net = Mlp(memory.size, hidden, parameter_count(kind))

    def forward(self, m: Float[Tensor, "... slots width"]) -> Float[Tensor, "... parameters"]:
        """Memories with any leading axes to output parameters."""
        return self.net(flat(m))


def nll(kind: Kind, parameters: Float[Tensor, "... parameters"], y: Tensor) -> Tensor:
    """-log p(y), `[...]`: categorical, or Gaussian summed over channels."""
    if isinstance(kind, Tokens):
        logits = parameters.flatten(0, -2)
        return F.cross_entropy(logits, y.flatten(), reduction="none").view(y.shape)
    mean, log_std = gaussian(parameters)
    z = (y - mean) * torch.exp(-log_std)
    return (0.5 * z.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)


def kl(kind: Kind, p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) between two distributions of the same kind, `[...]`."""
    if isinstance(kind, Tokens):
        log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum(-1)
    (mean_p, log_p), (mean_q, log_q) = gaussian(p), gaussian(q)
    ratio = torch.exp(2 * (log_p - log_q))
    shift = ((mean_p - mean_q) * torch.exp(-log_q)).square()
    return (0.5 * (ratio + shift - 1.0) + log_q - log_p).sum(-1)


def most_likely(kind: Kind, parameters: Tensor) -> Tensor:
    """The mode: a token, or the mean vector."""
    return parameters.argmax(-1) if isinstance(kind, Tokens) else gaussian(parameters)[0]


def gaussian(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log standard deviation of each channel."""
    # Without bounds, the likelihood of a channel that is predicted exactly would be unbounded.
    mean, log_std = parameters.chunk(2, -1)
    return mean, log_std.clamp(-5.0, 5.0)
