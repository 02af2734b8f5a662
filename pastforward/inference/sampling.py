"""L3. Sampling: from the parameters of a distribution and random numbers to an output.

Random numbers are an argument, so sampling is a pure function that can be compiled.
"""

from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.errors import UsageError
from pastforward.outputs import gaussian, most_likely
from pastforward.types import Kind, Tokens, Vectors

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
    """Random numbers for `draw`: uniform `[...]` for tokens, normal `[..., C]` for vectors.

    Raises `UsageError` for flags and quantiles: what is drawn is fed back, and no input is either.
    """
    if not isinstance(kind, Tokens | Vectors):
        raise UsageError(
            f"Outputs are {kind}, which can't be drawn and fed back as inputs; read them with "
            "`Stream.step` or `Stream.feed`."
        )
    # In float32 whatever the network's precision: a seed then gives the same numbers in all of
    # them, and no uniform number is rounded to 1. On the generator's device, which may be another.
    device = generator.device
    if isinstance(kind, Tokens):
        return torch.rand(shape, generator=generator, device=device).to(like.device)
    return torch.randn((*shape, kind.width), generator=generator, device=device).to(like.device)


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
        mean, log_std = gaussian(parameters)
        return (mean + temperature * log_std.exp() * noise).to(parameters.dtype)
    parameters = parameters.float()
    # Without the maximum, the largest quotient is 0 at any temperature.
    logits = parameters - parameters.amax(-1, keepdim=True)
    logits = _filtered(logits / temperature.float().clamp(min=_TINY), sampling)
    below = logits.softmax(-1).cumsum(-1)
    drawn = (below <= noise[..., None].float() * _BELOW_ONE * below[..., -1:]).sum(-1)
    drawn = drawn.clamp(max=kind.size - 1)
    chosen = torch.where(temperature > 0, drawn, most_likely(kind, parameters))
    return torch.where(below[..., -1].isnan(), -1, chosen)


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
