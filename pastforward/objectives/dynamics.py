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


def emphasis(
    before: Float[Tensor, "... slots width"], after: Float[Tensor, "... slots width"]
) -> Float[Tensor, "..."]:
    """Weights of transitions, with mean 1: one half shared evenly, one half by how far labels move.

    Where memory mostly holds still (one event to keep in a hundred steps), a plain mean is almost
    all about holding, and a student that never writes has an error near zero.
    """
    change = squared_error(before, after).detach()
    return 0.5 + 0.5 * change / (change.mean() + 1e-6)
