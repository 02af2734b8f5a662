"""L2. Dynamics losses: how far a predicted memory lies from its label (arXiv 2606.06479, L_dyn)."""

from jaxtyping import Float
from torch import Tensor

FLOOR = 0.01
"""Least variance that an error is measured against: memories start out nearly the same."""


def squared_error(
    predicted: Float[Tensor, "... slots width"], label: Float[Tensor, "... slots width"]
) -> Float[Tensor, "..."]:
    """MSE over the K * D numbers of each memory."""
    return (predicted - label).square().mean((-2, -1))


def unexplained(
    predicted: Float[Tensor, "batch steps slots width"],
    label: Float[Tensor, "batch steps slots width"],
) -> Float[Tensor, "batch steps"]:
    """Squared error over the variance of the labels at the same step, across sequences.

    The fraction of what tells sequences apart that is missed. Moving labels closer together does
    not lower it, so it does not reward collapse; a clock that all sequences share does not lower
    it either, however much of a memory it fills.
    """
    # Mean square less square mean: `var` over the first axis is many times slower.
    variance = label.square().mean() - label.mean(0).square().mean()
    return squared_error(predicted, label) / (variance + FLOOR)


def emphasis(
    before: Float[Tensor, "... slots width"], after: Float[Tensor, "... slots width"]
) -> Float[Tensor, "..."]:
    """Weights of transitions, with mean 1: one half shared evenly, one half by how far labels move.

    Where memory mostly holds still (one event to keep in a hundred steps), a plain mean is almost
    all about holding, and a student that never writes has an error near zero.
    """
    change = squared_error(before.detach(), after.detach())
    return 0.5 + 0.5 * change / (change.mean() + 1e-6)
