"""L4. Credit: the gradient of the outputs' losses at each memory, by BPTT and by SMT.

BPTT unrolls the student from m_0. Its credit at t is |dL/dm_t|, with L the mean loss of a
sequence's counted outputs and m_t the memory in the rollout: the gradient passes through one
Jacobian per step between t and the output, and so can vanish or explode.

SMT replaces memories by targets. Its credit at t is |dL/dm_t|, with L the loss of `JointSMT` and
m_t the target, taken as a free variable: the gradient passes through the decoder and through one
step, wherever the output is. Training draws anchors at random; here every t is an anchor, weighted
as often as it is drawn on average. A batch of B sequences averages its loss over B * T targets, so
the gradient is multiplied by B * T.

The norm is over the K * D numbers of a memory, the mean over sequences.
"""

import math
import statistics
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pastforward.errors import UsageError
from pastforward.memory import flat
from pastforward.methods import SMTConfig
from pastforward.methods.smt import JointSMT
from pastforward.methods.transitions import SampledAnchors
from pastforward.outputs import output_loss
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch, BatchWithTargets

_OUTPUTS = ("decoding", "prediction", "readout")
"""Terms that are losses of outputs, in nats."""
_AT_ANCHORS = ("decoding", "input_decoding", "consistency", "uniformity")
"""Terms that are means over anchors; the others are means over all t."""
_ANCHORS = 64
"""Targets that decode their futures at most, for the sake of memory use."""


@dataclass(frozen=True)
class Credit:
    """Mean norm of dL/dm_t over sequences."""

    times: list[int]
    """t, among 0..T."""
    norms: list[float]

    @property
    def per_step(self) -> float | None:
        """Factor by which the norm changes per step back in time, by a log-linear fit at t > 0.

        Below 1 credit vanishes, above 1 it explodes. Times with a norm of 0 are left out; None
        where fewer than two are left.
        """
        pairs = zip(self.times, self.norms, strict=True)
        reached = [(t, math.log(norm)) for t, norm in pairs if t and norm > 0.0]
        if len(reached) < 2:
            return None
        return math.exp(-statistics.linear_regression(*zip(*reached, strict=True)).slope)


def bptt_credit(student: Student, batch: Batch) -> Credit:
    """Credit of the student's own outputs through its rollout, at t = 0..T."""
    # Not student.rollout(): gradients are taken at each memory before they are stacked.
    memories = [student.start(len(batch.x))]
    for e_t in student.embed(batch.x).unbind(1):
        memories.append(student.cell(memories[-1], e_t))
    read = student.readout(torch.stack(memories[1:], 1))
    nats = output_loss(student.signature.outputs, read, batch.y).where(batch.mask, 0.0)
    # Sequences are independent, so the gradient of the sum holds the gradient of each.
    loss = (nats.sum(1) / batch.mask.sum(1).clamp(min=1)).sum()
    gradients = torch.stack(torch.autograd.grad(loss, memories), 1)
    return _credit(list(range(len(memories))), gradients)


def smt_credit(
    student: Student, teacher: Teacher, config: SMTConfig, batch: Batch
) -> dict[str, Credit]:
    """Credit of the losses of joint SMT by weighted term, without noise.

    'outputs' is that of the terms in nats together (what BPTT descends), 'total' of all. At every
    t = 1..T, or at 64 evenly spaced ones of a longer sequence.
    """
    count, length = batch.mask.shape
    used = min(length, _ANCHORS)
    anchors = torch.linspace(0, length - 1, used).round().long().to(batch.x.device)
    targets = teacher.targets(batch.x).detach().requires_grad_()
    method = JointSMT(student, teacher, replace(config, noise=0.0, transitions=None))
    sampled = SampledAnchors(None, anchors.expand(count, -1), None)
    _, terms = method.compute(BatchWithTargets(*batch, targets), sampled)
    found: dict[str, Tensor] = {}
    for name, term in terms.items():
        if not term.requires_grad:  # uniformity of a single sequence
            continue
        # Each target is an anchor T / used times as often here as it is on average.
        share = used / length if name in _AT_ANCHORS else 1.0
        # No gradient reaches a target from the student's losses if encoder_gradient_scale is 0.
        (gradient,) = torch.autograd.grad(term, targets, retain_graph=True, materialize_grads=True)
        found[name] = count * length * share * getattr(config, name) * gradient
    outputs = torch.stack([found[name] for name in _OUTPUTS if name in found]).sum(0)
    found |= {"outputs": outputs, "total": torch.stack(list(found.values())).sum(0)}
    times = (anchors + 1).tolist()
    return {name: _credit(times, gradient[:, anchors + 1]) for name, gradient in found.items()}


def last_output(batch: Batch) -> Batch:
    """The same sequences with the mask True at the last counted output only."""
    later = batch.mask.flip(1).cumsum(1).flip(1)
    return batch._replace(mask=batch.mask & (later == 1))


def scaled(student: Student, factor: float) -> Student:
    """A copy whose weights from memory to memory are multiplied by `factor`.

    They are those of the cell's linear layer named `recurrent`; raises `UsageError` for a cell
    without one.
    """
    copy = deepcopy(student)
    layer = dict(copy.cell.named_children()).get("recurrent")
    if not isinstance(layer, nn.Linear):
        raise UsageError(
            f"A {type(copy.cell).__name__} has no linear layer 'recurrent' to scale; leave out "
            "the scales, or give the cell one."
        )
    with torch.no_grad():
        layer.weight.mul_(factor)
    return copy


def _credit(times: list[int], gradients: Tensor) -> Credit:
    """From gradients `[B, n, K, D]` at n times."""
    return Credit(times, flat(gradients).norm(dim=-1).mean(0).tolist())
