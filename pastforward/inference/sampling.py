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
    # Always drawn in float32, so that a seed gives the same numbers in all precisions.
    if isinstance(kind, Tokens):
        return torch.rand(shape, generator=generator, device=like.device).to(like.dtype)
    normal = torch.randn((*shape, kind.width), generator=generator, device=like.device)
    return normal.to(like.dtype)


def draw(
    kind: Kind, parameters: Float[Tensor, "... parameters"], noise: Tensor,
    temperature: Float[Tensor, ""], sampling: Sampling,
) -> Tensor:  # fmt: skip
    """y `[...]` (or `[..., C]`), by inverting the distribution function at `noise`.

    `temperature` replaces `sampling.temperature`: as a tensor it can change from call to call
    without recompilation.
    """
    if not isinstance(kind, Tokens):
        mean, log_std = gaussian(parameters)
        return mean + temperature * log_std.exp() * noise
    logits = parameters / temperature.clamp(min=torch.finfo(parameters.dtype).tiny)
    logits = _keep_mass(_keep_top(logits, sampling.top_k), sampling.top_p)
    below = logits.softmax(-1).cumsum(-1)
    drawn = (below <= noise[..., None] * _BELOW_ONE * below[..., -1:]).sum(-1)
    return torch.where(temperature > 0, drawn, most_likely(kind, parameters))


def _keep_top(logits: Tensor, top_k: int | None) -> Tensor:
    if top_k is None or top_k >= logits.shape[-1]:
        return logits
    least = logits.topk(top_k, -1).values[..., -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def _keep_mass(logits: Tensor, top_p: float | None) -> Tensor:
    """Drop the tokens beyond the smallest set of most likely ones that holds `top_p`."""
    if top_p is None or top_p == 1.0:
        return logits
    ordered, order = logits.sort(-1, descending=True)
    probability = ordered.softmax(-1)
    enough = probability.cumsum(-1) - probability >= top_p
    return logits.masked_fill(enough.gather(-1, order.argsort(-1)), -torch.inf)
