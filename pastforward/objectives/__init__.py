"""L2. Pure losses, per element; masks are applied once, by the caller, with `masked_mean`."""

from torch import Tensor

from pastforward.objectives.consistency import consistency
from pastforward.objectives.covariance import covariance
from pastforward.objectives.dynamics import emphasis, squared_error, unexplained
from pastforward.objectives.gaussian import gaussian
from pastforward.objectives.uniformity import uniformity

__all__ = [
    "consistency",
    "covariance",
    "emphasis",
    "gaussian",
    "masked_mean",
    "squared_error",
    "unexplained",
    "uniformity",
]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` is True; 0 when it is True nowhere."""
    return values.where(mask, 0.0).sum() / mask.sum().clamp(min=1)
