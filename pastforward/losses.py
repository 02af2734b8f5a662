"""L2. Pure losses, per element; masks are applied once, by the caller, with `masked_mean`."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.memory import flat
from pastforward.outputs import kl
from pastforward.types import Kind


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` is True; 0 when it is True nowhere."""
    return values.where(mask, 0.0).sum() / mask.sum().clamp(min=1)


FLOOR = 0.01
"""Least variance that an error is measured against: memories start out nearly the same."""


def squared_error(
    predicted: Float[Tensor, "... slots width"], target: Float[Tensor, "... slots width"]
) -> Float[Tensor, "..."]:
    """MSE over the K * D numbers of each memory."""
    return (predicted - target).square().mean((-2, -1))


def variance_unexplained(
    predicted: Float[Tensor, "batch steps slots width"],
    target: Float[Tensor, "batch steps slots width"],
) -> Float[Tensor, "batch steps"]:
    """Squared error over the variance of the labels at the same step, across sequences.

    The fraction of what tells sequences apart that is missed. Moving labels closer together does
    not lower it, so it does not reward collapse; a clock that all sequences share does not lower
    it either, however much of a memory it fills.
    """
    # Mean square less square mean: `var` over the first axis is many times slower.
    variance = target.square().mean() - target.mean(0).square().mean()
    return squared_error(predicted, target) / (variance + FLOOR)


def transition_weights(
    before: Float[Tensor, "... slots width"], after: Float[Tensor, "... slots width"]
) -> Float[Tensor, "..."]:
    """Weights of transitions, with mean 1: one half shared evenly, one half by how far labels move.

    Where memory mostly holds still (one event to keep in a hundred steps), a plain mean is almost
    all about holding, and a student that never writes has an error near zero.
    """
    change = squared_error(before.detach(), after.detach())
    return 0.5 + 0.5 * change / (change.mean() + 1e-6)


def uniformity(m: Float[Tensor, "steps count slots width"]) -> Float[Tensor, ""]:
    """log E exp(-2 |u - v|^2) over pairs of the N memories of a step, averaged over steps.

    Pairs are of sequences at the same step, or a clock would do. Half the loss is on whole
    memories, half on each slot; rows are scaled to unit norm. 0 when all memories of a step are
    the same, or there is but one; lower is more spread.
    """
    if m.shape[1] < 2:
        return m.new_zeros(())
    whole = _log_potential(flat(m))
    return 0.5 * (whole + _log_potential(m.movedim(2, 1).flatten(0, 1)))


def _log_potential(rows: Float[Tensor, "groups count width"]) -> Tensor:
    unit = F.normalize(rows, dim=-1)
    squared = 2.0 - 2.0 * unit @ unit.transpose(1, 2)
    count = rows.shape[1]
    itself = torch.eye(count, dtype=torch.bool, device=rows.device)
    potential = squared.mul(-2.0).masked_fill(itself, -math.inf)
    return (potential.flatten(1).logsumexp(1) - math.log(count * (count - 1))).mean()


_EPSILON = 1e-4
"""Added to variances: the slope of a deviation is infinite at 0."""


def covariance(m: Float[Tensor, "steps count slots width"]) -> Float[Tensor, ""]:
    """What deviations lack of 1, plus the mean square of covariances between two numbers.

    Both are over the sequences of a step and averaged over steps, so a clock does nothing. 0 when
    all numbers are uncorrelated and of variance 1 or more; about 1 when all memories of a step are
    the same, 0 where there is but one. N independent sequences leave 1/N of the second part.
    """
    count, size = m.shape[1], m.shape[2] * m.shape[3]
    if count < 2:
        return m.new_zeros(())
    rows = flat(m)
    rows = rows - rows.mean(1, keepdim=True)
    shared = rows.transpose(1, 2) @ rows / count
    variance = shared.diagonal(dim1=1, dim2=2)
    repeated = shared.square().sum((1, 2)) - variance.square().sum(1)
    lacking = F.relu(1.0 - (variance + _EPSILON).sqrt()).mean(1)
    return (lacking + repeated / max(1, size * (size - 1))).mean()


def gaussian(
    m: Float[Tensor, "steps count slots width"], directions: Float[Tensor, "number size"]
) -> Float[Tensor, ""]:
    """Squared distance of characteristic functions, under a standard normal weight.

    `int |E exp(i t z) - exp(-t^2 / 2)|^2 w(t) dt` for the projections z of the N memories of a
    step on each direction, averaged over directions and steps. The integral has a closed form, in
    which pairs of a memory with itself are left out: the mean over draws from the normal itself is
    then 0 at any N. About 0.42 when all memories of a step are the same, 0 when there is but one.
    """
    if m.shape[1] < 2:
        return m.new_zeros(())
    units = F.normalize(directions, dim=-1).to(m.dtype)
    z = (flat(m) @ units.T).transpose(1, 2)
    i, j = torch.triu_indices(m.shape[1], m.shape[1], 1, device=m.device)
    pairs = (z[..., i] - z[..., j]).square().mul(-0.5).exp().mean()
    return pairs - math.sqrt(2.0) * z.square().mul(-0.25).exp().mean() + math.sqrt(1.0 / 3.0)


def consistency(
    decoder: nn.Module,
    kind: Kind,
    target: Float[Tensor, "batch anchors slots width"],
    reached: Float[Tensor, "batch anchors slots width"],
    x: Tensor,
) -> Float[Tensor, "batch anchors future"]:
    """KL(p(y | label) || p(y | reached)) per output, in nats.

    x `[B, A, F-1]` are the true next inputs. Gradient flows to `reached` alone: neither the label
    nor the decoder may move to please the student.
    """
    with torch.no_grad():
        target = decoder(target, x)
    frozen = {name: parameter.detach() for name, parameter in decoder.named_parameters()}
    return kl(kind, target, torch.func.functional_call(decoder, frozen, (reached, x)))
