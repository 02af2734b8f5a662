"""L4. Credit: how much of an output's loss reaches the memory at t, and does it get there alike?

Backpropagation through time unrolls the student from m_0. Its credit at t is |dL/dm_t|, L the mean
loss of a sequence's counted outputs and m_t the memory in the rollout: the gradient arrives through
all steps from t to the output, one Jacobian each, and so vanishes or explodes.

Supervised memory training has labels in the place of memories. Its credit at t is |dL/dm_t|, L the
loss of `JointSMT` itself and m_t the label, taken as a free variable: the gradient arrives through
the decoder and through one step, wherever the output lies. Anchors are drawn at random in training;
here every t is one, and counts as often as it is drawn on average. A batch of B sequences shares
its loss out over B * T labels, so the gradient is taken times B * T.

The norm is over the K * D numbers of a memory, the mean over sequences.
"""

import math
import statistics
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pastforward.config import SMTConfig
from pastforward.errors import UsageError
from pastforward.memory import flat
from pastforward.methods.sampling import SampledAnchors
from pastforward.methods.smt import JointSMT
from pastforward.outputs import nll
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch, BatchWithTargets

_OUTPUTS = ("decoding", "prediction", "readout")
"""Terms that are losses of outputs, in nats."""
_ANCHORS = 64
"""Labels that decode their futures at most; more cost memory, hardly knowledge."""


@dataclass(frozen=True)
class Credit:
    """Mean norm of dL/dm_t over sequences."""

    times: list[int]
    """t, among 0..T."""
    norms: list[float]

    @property
    def per_step(self) -> float | None:
        """Factor by which the norm changes a step back: a line through its logarithms at t > 0.

        1 is flat, below 1 vanishes, above 1 explodes. Times that no credit reaches are left out;
        None where fewer than two are left.
        """
        pairs = zip(self.times, self.norms, strict=True)
        reached = [(t, math.log(norm)) for t, norm in pairs if t and norm > 0.0]
        if len(reached) < 2:
            return None
        return math.exp(-statistics.linear_regression(*zip(*reached, strict=True)).slope)


def bptt_credit(student: Student, batch: Batch) -> Credit:
    """Of the student's own outputs, through its rollout, at t = 0..T."""
    memories = [student.start(len(batch.x))]
    for e_t in student.embed(batch.x).unbind(1):
        memories.append(student.cell(memories[-1], e_t))
    read = student.readout(torch.stack(memories[1:], 1))
    nats = nll(student.signature.outputs, read, batch.y).where(batch.mask, 0.0)
    # Sequences are apart, so the gradient of the sum holds the gradient of each.
    loss = (nats.sum(1) / batch.mask.sum(1).clamp(min=1)).sum()
    gradients = torch.stack(torch.autograd.grad(loss, memories), 1)
    return _credit(list(range(len(memories))), gradients)


def smt_credit(
    student: Student, teacher: Teacher, config: SMTConfig, batch: Batch
) -> dict[str, Credit]:
    """Of the losses of joint training, by weighted term, without noise.

    'outputs' is of those in nats together (what BPTT descends), 'total' of all. At every
    t = 1..T, or at 64 evenly spaced ones of a longer sequence.
    """
    count, length = batch.mask.shape
    used = min(length, _ANCHORS)
    anchors = torch.linspace(0, length - 1, used).round().long().to(batch.x.device)
    targets = teacher.targets(batch.x).detach().requires_grad_()
    method = JointSMT(student, teacher, replace(config, noise=0.0, transitions=None))
    drawn = SampledAnchors(None, anchors.expand(count, -1), None)
    _, terms = method.compute(BatchWithTargets(*batch, targets), drawn)
    found: dict[str, Tensor] = {}
    for name, term in terms.items():
        if not term.requires_grad:  # uniformity of a single sequence
            continue
        # A label is an anchor T / used times as often here as it would be on average.
        share = used / length if name in ("decoding", "consistency", "uniformity") else 1.0
        scale = count * length * share * getattr(config, name)
        (gradient,) = torch.autograd.grad(
            term, targets, retain_graph=True, materialize_grads=True
        )  # with pull = 0 no gradient of the student's losses reaches a label
        found[name] = scale * gradient
    outputs = torch.stack([found[name] for name in _OUTPUTS if name in found]).sum(0)
    found |= {"outputs": outputs, "total": torch.stack(list(found.values())).sum(0)}
    times = (anchors + 1).tolist()
    return {name: _credit(times, gradient[:, anchors + 1]) for name, gradient in found.items()}


def last_output(batch: Batch) -> Batch:
    """The same sequences, of whose outputs only the last one that counted counts."""
    later = batch.mask.flip(1).cumsum(1).flip(1)
    return batch._replace(mask=batch.mask & (later == 1))


def scaled(student: Student, factor: float) -> Student:
    """A copy whose weights from memory to memory are `factor` times as large.

    Raises `UsageError` for a cell that keeps them in no layer `recurrent`.
    """
    copy = deepcopy(student)
    layer = getattr(copy.cell, "recurrent", None)
    if not isinstance(layer, nn.Linear):
        raise UsageError(
            f"A {type(copy.cell).__name__} has no linear layer 'recurrent' to scale; leave out "
            "the scales, or give the cell one."
        )
    with torch.no_grad():
        layer.weight.mul_(factor)
    return copy


def _credit(times: list[int], gradients: Tensor) -> Credit:
    """Of gradients `[B, n, K, D]` at n times."""
    return Credit(times, flat(gradients).norm(dim=-1).mean(0).tolist())
