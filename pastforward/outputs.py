"""L1. The readout, from a memory to the parameters of y_t, and functions of those parameters.

    kind        parameters                          loss of one output
    Tokens      logits                              -log p, nats
    Vectors     mean, log of standard deviation     -log p of Gaussians, nats, summed over channels
    StudentT    mean, log of scale, freedom         -log p, nats, summed over channels
    Flags       logits                              -log p, nats, summed over flags
    Quantiles   lowest quantile, increments         pinball, in the unit of y, summed over channels
                                                    and averaged over levels

Losses are one per output; the caller applies the mask. A new kind is one class and one row here.
"""

import math
from abc import ABC, abstractmethod
from typing import Generic, TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from pastforward.blocks import Mlp
from pastforward.errors import UsageError
from pastforward.memory import flat
from pastforward.types import (
    Flags,
    Kind,
    MemoryShape,
    Quantiles,
    StudentT,
    Tokens,
    Vectors,
)

NATS, PINBALL = "nats", "pinball loss"

Parameters = Float[Tensor, "... parameters"]


def parameter_count(kind: Kind) -> int:
    """P: how many numbers parametrise the distribution of one output."""
    return _family(kind).count()


class Readout(nn.Module):
    """g: an MLP with one hidden layer, or one linear map, from a memory to parameters of y_t."""

    def __init__(
        self, memory: MemoryShape, kind: Kind, hidden: int, visible: slice = slice(None)
    ) -> None:
        """`visible`: which of the K * D numbers are read; `hidden`: 0 for a linear map."""
        super().__init__()
        self.visible, self.hidden = visible, hidden
        read, count = len(range(memory.size)[visible]), parameter_count(kind)
        self.net = Mlp(read, hidden, count) if hidden else nn.Linear(read, count)

    def forward(self, m: Float[Tensor, "... slots width"]) -> Parameters:
        """Memories with any leading axes to output parameters."""
        return self.of_visible(flat(m)[..., self.visible])

    def of_visible(self, numbers: Float[Tensor, "... visible"]) -> Parameters:
        """From the visible numbers of memories, as `Cell.outputs` gives them."""
        return self.net(numbers)


def output_loss(kind: Kind, parameters: Parameters, y: Tensor) -> Float[Tensor, "..."]:
    """Loss of each output y: -log p(y) in nats, or the pinball loss in the unit of y."""
    return _family(kind).loss(parameters, y)


def loss_unit(kind: Kind) -> str:
    """What people read behind an output loss."""
    return PINBALL if isinstance(kind, Quantiles) else NATS


def divergence(kind: Kind, p: Parameters, q: Parameters) -> Float[Tensor, "..."]:
    """Divergence of q from p, each the parameters of one output; 0 where they are equal.

    KL(p || q) in nats; of quantiles the mean of |p - q| over levels, summed over channels, which
    approximates the 1-Wasserstein distance, in the unit of y.
    """
    return _family(kind).divergence(p, q)


def most_likely(kind: Kind, parameters: Parameters) -> Tensor:
    """One prediction, shaped like y: the likeliest token, the mean, or flags above 1/2.

    Of quantiles, that at the level nearest to 1/2, the median where it is among the levels.
    """
    return _family(kind).most_likely(parameters)


def class_probabilities(kind: Kind, parameters: Parameters) -> Float[Tensor, "... classes"]:
    """Probability of each token, or of each flag; raises `UsageError` for numbers."""
    if isinstance(kind, Tokens):
        return parameters.softmax(-1)
    if isinstance(kind, Flags):
        return parameters.sigmoid()
    raise UsageError(
        f"Outputs are {kind}, so classes have no probabilities; give a network whose outputs are "
        "Tokens or Flags."
    )


def gaussian(parameters: Parameters) -> tuple[Tensor, Tensor]:
    """Mean and log standard deviation of each channel."""
    # Without bounds, the likelihood of a channel that is predicted exactly would be unbounded.
    mean, log_std = parameters.chunk(2, -1)
    return mean, log_std.clamp(-5.0, 5.0)


def student_t(parameters: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, log scale and degrees of freedom, above 2, of each channel."""
    mean, log_scale, freedom = parameters.chunk(3, -1)
    # Six degrees at first; above 2 the variance is finite.
    return mean, log_scale.clamp(-5.0, 5.0), 2.0 + F.softplus(freedom + 4.0)


def quantiles(kind: Quantiles, parameters: Parameters) -> Float[Tensor, "... channels levels"]:
    """The quantiles of each channel at `kind.levels`; they rise with the level."""
    lowest, increments = parameters.unflatten(-1, (kind.width, -1)).tensor_split([1], -1)
    return torch.cat([lowest, F.softplus(increments)], -1).cumsum(-1)


K = TypeVar("K", Tokens, Vectors, StudentT, Flags, Quantiles)


class _Family(ABC, Generic[K]):
    """Abstract: a family of distributions, those of one kind of outputs."""

    def __init__(self, kind: K) -> None:
        self.kind = kind

    @abstractmethod
    def count(self) -> int: ...

    @abstractmethod
    def loss(self, parameters: Tensor, y: Tensor) -> Tensor: ...

    @abstractmethod
    def divergence(self, p: Tensor, q: Tensor) -> Tensor: ...

    @abstractmethod
    def most_likely(self, parameters: Tensor) -> Tensor: ...


@final
class _Categorical(_Family[Tokens]):
    @override
    def count(self) -> int:
        return self.kind.size

    @override
    def loss(self, parameters: Tensor, y: Tensor) -> Tensor:
        logits = parameters.flatten(0, -2)
        return F.cross_entropy(logits, y.flatten(), reduction="none").view(y.shape)

    @override
    def divergence(self, p: Tensor, q: Tensor) -> Tensor:
        log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum(-1)

    @override
    def most_likely(self, parameters: Tensor) -> Tensor:
        return parameters.argmax(-1)


@final
class _Gaussian(_Family[Vectors]):
    @override
    def count(self) -> int:
        return 2 * self.kind.width

    @override
    def loss(self, parameters: Tensor, y: Tensor) -> Tensor:
        mean, log_std = gaussian(parameters)
        z = (y - mean) * torch.exp(-log_std)
        return (0.5 * z.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)

    @override
    def divergence(self, p: Tensor, q: Tensor) -> Tensor:
        (mean_p, log_p), (mean_q, log_q) = gaussian(p), gaussian(q)
        ratio = torch.exp(2 * (log_p - log_q))
        shift = ((mean_p - mean_q) * torch.exp(-log_q)).square()
        return (0.5 * (ratio + shift - 1.0) + log_q - log_p).sum(-1)

    @override
    def most_likely(self, parameters: Tensor) -> Tensor:
        return gaussian(parameters)[0]


@final
class _StudentT(_Family[StudentT]):
    @override
    def count(self) -> int:
        return 3 * self.kind.width

    @override
    def loss(self, parameters: Tensor, y: Tensor) -> Tensor:
        mean, log_scale, nu = student_t(parameters)
        half = 0.5 * (nu + 1.0)
        z = (y - mean) * torch.exp(-log_scale)
        normal = torch.lgamma(half) - torch.lgamma(0.5 * nu) - 0.5 * torch.log(nu * math.pi)
        return (log_scale - normal + half * torch.log1p(z.square() / nu)).sum(-1)

    @override
    def divergence(self, p: Tensor, q: Tensor) -> Tensor:
        """Approximated: that of Gaussians of these means and scales, and of the tails apart."""
        (mean_p, log_p, nu_p), (mean_q, log_q, nu_q) = student_t(p), student_t(q)
        ratio, shift = torch.exp(2 * (log_p - log_q)), (mean_p - mean_q) * torch.exp(-log_q)
        tails = torch.log(nu_p / nu_q).square()
        return (0.5 * (ratio + shift.square() - 1.0 + tails) + log_q - log_p).sum(-1)

    @override
    def most_likely(self, parameters: Tensor) -> Tensor:
        return student_t(parameters)[0]


@final
class _Bernoulli(_Family[Flags]):
    @override
    def count(self) -> int:
        return self.kind.width

    @override
    def loss(self, parameters: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(parameters, y, reduction="none").sum(-1)

    @override
    def divergence(self, p: Tensor, q: Tensor) -> Tensor:
        yes, no = F.logsigmoid(p), F.logsigmoid(-p)
        found = yes.exp() * (yes - F.logsigmoid(q)) + no.exp() * (no - F.logsigmoid(-q))
        return found.sum(-1)

    @override
    def most_likely(self, parameters: Tensor) -> Tensor:
        return (parameters > 0).to(parameters.dtype)


@final
class _QuantileFamily(_Family[Quantiles]):
    @override
    def count(self) -> int:
        """Raises `UsageError` for levels that don't rise or lie outside (0, 1)."""
        levels = self.kind.levels
        inside = [0.0, *levels, 1.0]
        if not levels or sorted(set(inside)) != inside:
            raise UsageError(
                f"Quantiles at levels {levels} were asked for; give levels between 0 and 1, from "
                "the lowest to the highest, such as (0.1, 0.5, 0.9)."
            )
        return self.kind.width * len(levels)

    @override
    def loss(self, parameters: Tensor, y: Tensor) -> Tensor:
        found = quantiles(self.kind, parameters)
        above = y.unsqueeze(-1) - found
        levels = found.new_tensor(self.kind.levels)
        return torch.maximum(levels * above, (levels - 1.0) * above).mean(-1).sum(-1)

    @override
    def divergence(self, p: Tensor, q: Tensor) -> Tensor:
        return (quantiles(self.kind, p) - quantiles(self.kind, q)).abs().mean(-1).sum(-1)

    @override
    def most_likely(self, parameters: Tensor) -> Tensor:
        middle = min(range(len(self.kind.levels)), key=lambda i: abs(self.kind.levels[i] - 0.5))
        return quantiles(self.kind, parameters)[..., middle]


_FAMILIES: dict[type[Kind], type[_Family]] = {
    Tokens: _Categorical,
    Vectors: _Gaussian,
    StudentT: _StudentT,
    Flags: _Bernoulli,
    Quantiles: _QuantileFamily,
}


def _family(kind: Kind) -> _Family:
    return _FAMILIES[type(kind)](kind)  # no `match`: torch.compile does not trace it
