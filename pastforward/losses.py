"""L2. Pure losses, per element; masks are applied once, by the caller, with `masked_mean`.

Losses of memories are over the steps that are `relevant`: padding changes none of them.

Where sequences are cut over processes, `total` sums over their pieces, and a mean is this piece's
part of it: the parts add up to the mean over whole sequences.

L_dyn and L_unif are those of Kumar & Isola 2026, arXiv 2606.06479, with the changes stated here.
L_dec, the cross-entropy of decoded futures, is `outputs.output_loss`.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.memory import flat
from pastforward.outputs import divergence, output_loss
from pastforward.pieces import Total, own
from pastforward.types import Kind, Memories, Memory, Signature

MIN_VARIANCE = 0.01
"""Added to the variance that an error is divided by: at first target memories hardly differ."""


def relevant(mask: Bool[Tensor, "batch length"]) -> Bool[Tensor, "batch length"]:
    """True at or before the last output that counts; what follows is padding."""
    return mask.flip(1).cumsum(1).flip(1) > 0


def masked_mean(
    values: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"], total: Total = own
) -> Tensor:
    """Mean of `values` where `mask` is True; 0 where it is True nowhere."""
    return values.where(mask, 0.0).sum() / total(mask.sum()).clamp(min=1)


def output_weights(
    signature: Signature, y: Tensor, mask: Bool[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Weight of each output in a mean loss: 0 where the mask is False, else 1.

    With `Signature.class_weights`, which tokens alone can have, that of the class y in place of 1.
    """
    weights = mask.to(torch.float32)
    if signature.class_weights is None:
        return weights
    return weights * weights.new_tensor(signature.class_weights)[y]


def mean_output_loss(
    signature: Signature, parameters: Float[Tensor, "*shape parameters"], y: Tensor,
    mask: Bool[Tensor, "*shape"], total: Total = own,
) -> Float[Tensor, ""]:  # fmt: skip
    """`mean_over_outputs` of the loss of each output."""
    values = output_loss(signature.outputs, parameters, y)
    return mean_over_outputs(signature, values, y, mask, total)


def mean_over_outputs(
    signature: Signature, values: Float[Tensor, "*shape"], y: Tensor, mask: Bool[Tensor, "*shape"],
    total: Total = own,
) -> Float[Tensor, ""]:  # fmt: skip
    """Mean of `values`, weighted by `output_weights`; 0 where the mask is True nowhere."""
    weights = output_weights(signature, y, mask)
    return (weights * values.where(mask, 0.0)).sum() / total_weight(weights, total)


def total_weight(weights: Float[Tensor, "*shape"], total: Total = own) -> Float[Tensor, ""]:
    """What a weighted sum is divided by: the sum of weights, never 0."""
    return total(weights.sum()).clamp(min=torch.finfo(weights.dtype).tiny)


def squared_error(predicted: Memory, target: Memory) -> Float[Tensor, "..."]:
    """MSE over the K * D numbers of each memory: L_dyn of the paper, before its mean."""
    return (predicted - target).square().mean((-2, -1))


def variance_unexplained(
    predicted: Memories, target: Memories, used: Bool[Tensor, "batch steps"] | None = None,
    total: Total = own,
) -> Float[Tensor, "batch steps"]:  # fmt: skip
    """L_dyn over the targets' variance: the squared error as a fraction of variance unexplained.

    The variance is across the sequences of a batch at the same step, and carries gradient. So
    targets that move closer together do not lower the loss (no reward for collapse), and neither
    does a component that all sequences share, such as a clock. It is that of the targets `used`,
    all when None.
    """
    used = torch.ones_like(target[..., 0, 0], dtype=torch.bool) if used is None else used
    each = used.to(target.dtype)
    at_step = each.sum(0)
    # Mean square minus squared mean: Tensor.var over the first axis is many times slower.
    square = total(target.square().mean((-2, -1)).where(used, 0.0).sum())
    mean = torch.einsum("bt,bt...->t...", each, target) / at_step.clamp(min=1)[:, None, None]
    explained = total((at_step * mean.square().mean((-2, -1))).sum())
    variance = (square - explained) / total(at_step.sum()).clamp(min=1)
    return squared_error(predicted, target) / (variance + MIN_VARIANCE)


def transition_weights(
    before: Memory, after: Memory, used: Bool[Tensor, "..."] | None = None, total: Total = own
) -> Float[Tensor, "..."]:
    """Weights of transitions: half uniform, half proportional to |after - before|^2.

    Their mean is 1 over the transitions `used`, all when None. Where memories seldom change (one
    event to store in a hundred steps), an unweighted mean is dominated by steps that copy, and a
    student that never writes has an error near 0.
    """
    change = squared_error(before.detach(), after.detach())
    used = torch.ones_like(change, dtype=torch.bool) if used is None else used
    mean = total(masked_mean(change, used, total))
    return 0.5 + 0.5 * change / (mean + 1e-6)


def uniformity(
    m: Float[Tensor, "steps count slots width"], used: Bool[Tensor, "steps count"] | None = None,
    total: Total = own,
) -> Float[Tensor, ""]:  # fmt: skip
    """L_unif: log E exp(-2 |u - v|^2) over pairs of unit-norm memories, averaged over steps.

    Wang & Isola 2020, arXiv 2005.10242, section 4.1.2. Pairs are of the N sequences of a step, so
    that a shared clock does not lower it; those `used` alone, all when None. Half of the loss is on
    whole memories, half on each slot. 0 where all memories of a step are equal or no step has two;
    lower is more spread.
    """
    if m.shape[1] < 2:
        return m.new_zeros(())
    used = torch.ones_like(m[..., 0, 0], dtype=torch.bool) if used is None else used
    slots = m.movedim(2, 1)
    of_slots = used.unsqueeze(1).expand(slots.shape[:3])
    whole = _log_potential(flat(m), used, total)
    return 0.5 * (whole + _log_potential(slots.flatten(0, 1), of_slots.flatten(0, 1), total))


def _log_potential(
    rows: Float[Tensor, "groups count width"], used: Bool[Tensor, "groups count"], total: Total
) -> Tensor:
    """Logarithm of the mean Gaussian potential of all pairs in a group, averaged over groups."""
    unit = F.normalize(rows, dim=-1)
    squared = 2.0 - 2.0 * unit @ unit.transpose(1, 2)
    other = ~torch.eye(rows.shape[1], dtype=torch.bool, device=rows.device)
    pairs = used.unsqueeze(1) & used.unsqueeze(2) & other
    # A number, not -inf: a group without pairs would have NaN as its gradient.
    potential = squared.mul(-2.0).masked_fill(~pairs, -_FAR)
    counts = pairs.sum((1, 2))
    found = potential.flatten(1).logsumexp(1) - counts.clamp(min=1).to(rows.dtype).log()
    return masked_mean(found, counts > 0, total)


_FAR = 1e4
"""Pairs so far apart count nothing: exp(-1e4) is 0."""


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
    return divergence(kind, wanted, torch.func.functional_call(decoder, frozen, (predicted, x)))
