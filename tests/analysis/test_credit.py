"""Credit: gradients at memories against finite differences, and rates that are known."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tiny
import torch
from oracles import surprise
from torch import nn

from pastforward.analysis.credit import Credit, bptt_credit, last_output, scaled, smt_credit
from pastforward.cells.build import wrap
from pastforward.errors import UsageError
from pastforward.methods import SMTConfig
from pastforward.methods.smt import JointSMT
from pastforward.methods.transitions import SampledAnchors
from pastforward.student import Student
from pastforward.types import Batch, BatchWithTargets, MemoryShape, Signature, Tokens

STEP = 1e-5
LONG = SMTConfig(uniformity=0.3)


def slope(loss, point: torch.Tensor) -> torch.Tensor:
    """Gradient by central differences, an entry at a time."""
    found = torch.zeros_like(point)
    for place in range(point.numel()):
        nudge = torch.zeros_like(point)
        nudge.view(-1)[place] = STEP
        found.view(-1)[place] = (loss(point + nudge) - loss(point - nudge)) / (2 * STEP)
    return found


def rest(student: Student, m, t: int, x, y, mask) -> torch.Tensor:
    """Mean loss of a sequence's outputs from y_t on, run on from m_t; earlier ones count 0."""
    total = torch.zeros((), dtype=m.dtype)
    for s in range(t, len(x) + 1):
        m = student.step(m, x[s - 1]) if s > t else m
        if s and mask[s - 1]:
            total = total + surprise(student, m, y[s - 1])
    return total / mask.sum()


@pytest.mark.parametrize("kind", ["tokens", "vectors"])
@torch.no_grad()
def test_bptt_against_finite_differences(kind):
    what = tiny.signature(kind, 4)
    student, batch = tiny.student(what, width=3), tiny.batch(what, 2)
    with torch.enable_grad():
        found = bptt_credit(student, batch)
    norms = torch.zeros(5, dtype=torch.float64)
    for x, y, mask in zip(*batch, strict=True):
        m = student.start()
        for t in range(5):
            m = student.step(m, x[t - 1]) if t else m

            def loss(at, t=t, x=x, y=y, mask=mask):
                return rest(student, at, t, x, y, mask)

            norms[t] += slope(loss, m).norm() / 2
    assert found.times == [0, 1, 2, 3, 4]
    assert found.norms == pytest.approx(norms.tolist(), abs=1e-8)
    assert min(found.norms) > 1e-3


class Contraction(nn.Module):
    """Keeps the first direction of a memory of two, and shrinks the other by `rate`."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.register_buffer("rates", torch.tensor([1.0, rate]))

    def forward(self, e, state):
        return state * self.rates


@pytest.mark.parametrize("rate", [0.5, 0.9, 1.25])
def test_bptt_of_a_linear_cell_vanishes_or_explodes_at_its_rate(rate):
    signature = Signature(Tokens(3), Tokens(3), 9)
    student = Student(signature, wrap(Contraction(rate))(MemoryShape(1, 2), 2))
    student.double()
    with torch.no_grad():
        student.empty.copy_(torch.tensor([[1.0, 0.0]]))  # a fixed point: the norm scales by 1
    found = bptt_credit(student, last_output(tiny.batch(signature, 4)))
    norms = found.norms[:-1]  # at T the readout also sees the direction that the norm takes out
    assert Credit(found.times[:-1], norms).per_step == pytest.approx(rate, rel=1e-4)
    for earlier, later in pairwise(norms):
        assert earlier / later == pytest.approx(rate, rel=1e-4)


def test_no_credit_comes_from_later_memories():
    student, _, batch = tiny.pair()
    mask = torch.zeros_like(batch.mask)
    mask[:, 3] = True
    found = bptt_credit(student, Batch(batch.x, batch.y, mask))
    assert all(norm > 0 for norm in found.norms[:5])
    assert found.norms[5:] == [0.0, 0.0, 0.0]
    slope, _ = np.polyfit([1, 2, 3, 4], np.log(found.norms[1:5]), 1)
    assert found.per_step == pytest.approx(np.exp(-slope))


@pytest.mark.parametrize("future", [None, 2])
@torch.no_grad()
def test_smt_against_finite_differences(future):
    student, teacher, batch = tiny.pair("tokens", 4, width=3)
    config = replace(LONG, future=future, decoding=0.7, readout=1.3)
    with torch.enable_grad():
        found = smt_credit(student, teacher, config, batch)
    targets, (count, length) = teacher.targets(batch.x), batch.mask.shape
    sampled = SampledAnchors(None, torch.arange(length).expand(count, -1), None)
    method = JointSMT(student, teacher, config)

    def outputs(at: torch.Tensor) -> torch.Tensor:
        _, terms = method.compute(BatchWithTargets(*batch, at), sampled)
        return 0.7 * terms["decoding"] + terms["prediction"] + 1.3 * terms["readout"]

    slopes = count * length * slope(outputs, targets)[:, 1:]
    assert found["outputs"].times == [1, 2, 3, 4]
    expected = slopes.flatten(2).norm(dim=-1).mean(0).tolist()
    assert found["outputs"].norms == pytest.approx(expected, abs=1e-6)


def test_decoding_gives_credit_to_every_memory_whatever_the_cell():
    student, teacher, batch = tiny.pair()
    batch = last_output(batch)
    found = smt_credit(student, teacher, LONG, batch)
    wild = smt_credit(scaled(student, 50.0), teacher, LONG, batch)
    assert wild["decoding"] == found["decoding"]
    assert min(found["decoding"].norms) > 0.0
    assert wild["readout"] != found["readout"]
    assert wild["total"] != found["total"]


def test_with_a_future_of_one_credit_comes_one_step_back():
    student, teacher, batch = tiny.pair()
    found = smt_credit(student, teacher, replace(LONG, future=1), last_output(batch))
    assert found["outputs"].norms[:-2] == [0.0] * 5
    assert all(norm > 0.0 for norm in found["outputs"].norms[-2:])


def test_a_long_sequence_has_64_times():
    student, teacher, batch = tiny.pair(length=130)
    batch = Batch(*(part[:2] for part in batch))
    every = smt_credit(student, teacher, replace(LONG, future=3), batch)
    assert len(every["total"].times) == 64
    assert (every["total"].times[0], every["total"].times[-1]) == (1, 130)
    # Prediction reaches every target whatever the anchors are, so it is not rescaled.
    short = smt_credit(student, teacher, replace(LONG, decoding=0.0), batch)
    assert "decoding" not in short
    assert short["prediction"] == every["prediction"]


def test_one_sequence_and_no_encoder_gradient():
    student, teacher, batch = tiny.pair()
    first = Batch(*(part[:1] for part in batch))
    alone = smt_credit(student, teacher, replace(LONG, encoder_gradient_scale=0.0), first)
    assert "uniformity" not in alone
    assert alone["dynamics"].norms == alone["readout"].norms == [0.0] * 7
    assert alone["total"] == alone["outputs"]


def test_the_last_output_that_counts():
    mask = torch.tensor([[True, True, False], [True, False, True], [False, False, False]])
    whole = Batch(torch.zeros(3, 3), torch.zeros(3, 3), mask)
    expected = [[False, True, False], [False, False, True], [False] * 3]
    assert last_output(whole).mask.tolist() == expected


def test_scaling_moves_the_recurrent_weights_alone():
    student = tiny.student(tiny.signature())
    double = scaled(student, 2.0)
    for name, weight in student.state_dict().items():
        factor = 2.0 if name == "cell.recurrent.weight" else 1.0
        assert torch.equal(double.state_dict()[name], factor * weight), name
    with pytest.raises(UsageError, match="TransformerCell has no linear layer 'recurrent'"):
        scaled(tiny.student(tiny.signature(), "transformer"), 2.0)
