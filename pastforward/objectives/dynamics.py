"""L2. Dynamics losses: how far a predicted memory lies from its label (arXiv 2606.06479, L_dyn)."""

from jaxtyping import Float
from torch import Tensor

from pastforward.memory import variance


def squared_error(
    predicted: Float[Tensor, "... slots width"], label: Float[Tensor, "... slots width"]
) -> Float[Tensor, "..."]:
    """MSE over the K * D numbers of each memory."""
    return (predicted - label).square().mean((-2, -1))


def unexplained(
    predicted: Float[Tensor, "... slots width"], label: Float[Tensor, "... slots width"]
) -> Float[Tensor, "..."]:
    """Squared error over the variance of the labels: the fraction of variance unexplained.

    Moving all labels closer together does not lower it, so it does not reward collapse.
    """
    return squared_error(predicted, label) / (variance(label) + 1e-4)
