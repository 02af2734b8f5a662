"""L3. Sampling: from the parameters of a distribution and random numbers to an output.

Random numbers are an argument, so sampling is a pure function that can be compiled.
"""

from dataclasses import dataclass
from math import inf, pi

import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.errors import UsageError
from pastforward.outputs import gaussian, most_likely, quantiles, student_t
from pastforward.types import Flags, Kind, Quantiles, StudentT, Tokens

# Keeps u * total below total after rounding, so that no draw falls beyond the last token.
_BELOW_ONE = 1.0 - 1e-6
_TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Sampling:
    """How outputs are drawn from their distribution; filters apply in the order of the fields."""

    temperature: float = 1.0
    """0 takes the most likely output, 1 draws from the distribution unchanged."""
    top_k: int | None = None
    """Draw from this many most likely tokens only; from all when None."""
    top_p: float | None = None
    """Draw from the smallest set of most likely tokens with at least this much probability."""

    def __post_init__(self) -> None:
        few = self.top_k is not None and self.top_k < 1
        empty = self.top_p is not None and not 0 < self.top_p <= 1
        if few or empty or not 0 <= self.temperature < inf:
            raise UsageError(
                f"Temperature {self.temperature}, top_k {self.top_k} and top_p {self.top_p} were "
                "given; give a temperature of 0 or more, a top_k of 1 or more and a top_p above 0, "
                "at most 1."
            )


PLAIN = Sampling()
"""Draw from the distribution unchanged."""


def noise(kind: Kind, shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Random numbers for `draw`: uniform `[...]` for tokens, else normal `[..., C]`.

    Of Student's t `[..., 2 * C]`. Raises `UsageError` for flags, which no input is.
    """
    if isinstance(kind, Flags):
        raise UsageError(
            f"Outputs are {kind}, which can't be drawn and fed back as inputs; read them with "
            "`Stream.step` or `Stream.feed`."
        )
    # In float32 whatever the network's precision: a seed then gives the same numbers in all of
    # them, and no uniform number is rounded to 1. On the generator's device, which may be another.
    device = generator.device
    if isinstance(kind, Tokens):
        return torch.rand(shape, generator=generator, device=device).to(like.device)
    width = kind.width * (2 if isinstance(kind, StudentT) else 1)
    return torch.randn((*shape, width), generator=generator, device=device).to(like.device)


def draw(
    kind: Kind, parameters: Float[Tensor, "... parameters"], noise: Tensor,
    temperature: Float[Tensor, ""], sampling: Sampling,
) -> Tensor:  # fmt: skip
    """y `[...]` (or `[..., C]`), by inverting the distribution function at `noise`.

    `temperature` replaces `sampling.temperature`: as a tensor it can change from call to call
    without recompilation. Tokens are drawn in float32; one is -1 where its parameters hold NaN or
    +infinity, as a pure function can't raise (`Stream.generate` does).
    """
    if not isinstance(kind, Tokens):
        return _number(kind, parameters, noise, temperature).to(parameters.dtype)
    parameters = parameters.float()
    # Without the maximum, the largest quotient is 0 at any temperature.
    logits = parameters - parameters.amax(-1, keepdim=True)
    logits = _filtered(logits / temperature.float().clamp(min=_TINY), sampling)
    below = logits.softmax(-1).cumsum(-1)
    drawn = (below <= noise[..., None].float() * _BELOW_ONE * below[..., -1:]).sum(-1)
    drawn = drawn.clamp(max=kind.size - 1)
    chosen = torch.where(temperature > 0, drawn, most_likely(kind, parameters))
    return torch.where(below[..., -1].isnan(), -1, chosen)


def _number(kind: Kind, parameters: Tensor, noise: Tensor, temperature: Tensor) -> Tensor:
    if isinstance(kind, Quantiles):
        return _between(kind, parameters, temperature * noise)
    if isinstance(kind, StudentT):
        mean, log_scale, nu = student_t(parameters)
        # Bailey 1994, equation 3: two uniform numbers are one of Student's t.
        u, v = torch.special.ndtr(noise).clamp(_TINY, _BELOW_ONE).chunk(2, -1)
        z = (nu * (u ** (-2.0 / nu) - 1.0)).sqrt() * torch.cos(2 * pi * v)
        return mean + temperature * log_scale.exp() * z
    mean, log_std = gaussian(parameters)
    return mean + temperature * log_std.exp() * noise


def _between(kind: Quantiles, parameters: Tensor, z: Tensor) -> Tensor:
    """Values whose level is that of z in a normal distribution: lines between quantiles.

    The first and last lines go on beyond them, so tails are as a Gaussian's.
    """
    values, levels = quantiles(kind, parameters), parameters.new_tensor(kind.levels)
    if len(kind.levels) == 1:
        return values[..., 0]
    knots = torch.special.ndtri(levels)
    left = torch.searchsorted(knots, z.contiguous()).clamp(1, len(kind.levels) - 1) - 1
    low, high = (values.gather(-1, (left + k).unsqueeze(-1)).squeeze(-1) for k in (0, 1))
    return low + (high - low) * (z - knots[left]) / (knots[left + 1] - knots[left])


def _filtered(logits: Tensor, sampling: Sampling) -> Tensor:
    """-inf for all but the `top_k` most likely, of those the smallest set that holds `top_p`.

    Of equal tokens, earlier ones are kept.
    """
    top_k, top_p = sampling.top_k, sampling.top_p
    if (top_k is None or top_k >= logits.shape[-1]) and top_p in (None, 1.0):
        return logits
    ordered, order = torch.sort(logits, dim=-1, descending=True, stable=True)
    if top_k is not None:
        beyond = torch.arange(logits.shape[-1], device=logits.device) >= top_k
        ordered = ordered.masked_fill(beyond, -torch.inf)
    if top_p is not None:
        p = ordered.softmax(-1)
        ordered = ordered.masked_fill(p.cumsum(-1) - p >= max(top_p, _TINY), -torch.inf)
    return torch.zeros_like(logits).scatter(-1, order, ordered)
