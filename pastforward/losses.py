"""L2. Pure losses, per element; masks are applied once, by the caller, with `masked_mean`.

L_dyn and L_unif are those of Kumar & Isola 2026, arXiv 2606.06479, with the changes stated here.
L_dec, the cross-entropy of decoded futures, is `outputs.nll`.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.memory import flat
from pastforward.outputs import kl
from pastforward.types import Kind, Memories, Memory

MIN_VARIANCE = 0.01
"""Added to the variance that an error is divided by: at first target memories hardly differ."""


def masked_mean(values: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"]) -> Tensor:
    """Mean of `values` where `mask` is True; 0 where it is True nowhere."""
    return values.where(mask, 0.0).sum() / mask.sum().clamp(min=1)


def squared_error(predicted: Memory, target: Memory) -> Float[Tensor, "..."]:
    """MSE over the K * D numbers of each memory: L_dyn of the paper, before its mean."""
    return (predicted - target).square().mean((-2, -1))


def variance_unexplained(predicted: Memories, target: Memories) -> Float[Tensor, "batch steps"]:
    """L_dyn over the targets' variance: the squared error as a fraction of variance unexplained.

    The variance is across the sequences of a batch at the same step, and carries gradient. So
    targets that move closer together do not lower the loss (no reward for collapse), and neither
    does a component that all sequences share, such as a clock.
    """
    # Mean square minus squared mean: Tensor.var over the first axis is many times slower.
    variance = target.square().mean() - target.mean(0).square().mean()
    return squared_error(predicted, target) / (variance + MIN_VARIANCE)


def transition_weights(before: Memory, after: Memory) -> Float[Tensor, "..."]:
    """Weights of transitions, of mean 1: half uniform, half proportional to |after - before|^2.

    Where memories seldom change (one event to store in a hundred steps), an unweighted mean is
    dominated by steps that copy, and a student that never writes has an error near 0.
    """
    change = squared_error(before.detach(), after.detach())
    return 0.5 + 0.5 * change / (change.mean() + 1e-6)


def uniformity(m: Float[Tensor, "steps count slots width"]) -> Float[Tensor, ""]:
    """L_unif: log E exp(-2 |u - v|^2) over pairs of unit-norm memories, averaged over steps.

    Wang & Isola 2020, arXiv 2005.10242, section 4.1.2. Pairs are of the N sequences of a step, so
    that a shared clock does not lower it. Half of the loss is on whole memories, half on each
    slot. 0 where all memories of a step are equal or N = 1; lower is more spread.
    """
    if m.shape[1] < 2:
        return m.new_zeros(())
    whole = _log_potential(flat(m))
    return 0.5 * (whole + _log_potential(m.movedim(2, 1).flatten(0, 1)))


def _log_potential(rows: Float[Tensor, "groups count width"]) -> Tensor:
    """Logarithm of the mean Gaussian potential of all pairs in a group, averaged over groups."""
    unit = F.normalize(rows, dim=-1)
    squared = 2.0 - 2.0 * unit @ unit.transpose(1, 2)
    count = rows.shape[1]
    itself = torch.eye(count, dtype=torch.bool, device=rows.device)
    potential = squared.mul(-2.0).masked_fill(itself, -math.inf)
    return (potential.flatten(1).logsumexp(1) - math.log(count * (count - 1))).mean()


def consistency(
    decoder: nn.Module,
    kind: Kind,
    target: Float[Tensor, "batch anchors slots width"],
    predicted: Float[Tensor, "batch anchors slots width"],
    x: Tensor,
) -> Float[Tensor, "batch anchors future"]:
    """KL(p(y | target) || p(y | predicted)) of each decoded output, in nats.

    x `[B, A, F-1]` are the true next inputs. Gradient flows to `predicted` alone: neither target
    nor decoder may move to suit the student.
    """
    with torch.no_grad():
        wanted = decoder(target, x)
    frozen = {name: parameter.detach() for name, parameter in decoder.named_parameters()}
    return kl(kind, wanted, torch.func.functional_call(decoder, frozen, (predicted, x)))
