"""Output distillation, and plain cross-entropy all times at once."""

import pytest
import torch
from tiny import (
    Record,
    assert_same,
    baseline,
    batch,
    descend,
    gradients,
    output_teacher,
    seeded,
    signature,
    student,
)

from pastforward.config import Budget
from pastforward.methods.bptt import Distillation, TruncatedBPTT, bptt
from pastforward.methods.parallel import Parallel
from pastforward.outputs import divergence, output_loss
from pastforward.training import FitConfig
from pastforward.training.fit import FitContext, fit

KINDS = ("tokens", "vectors")


def setting(kind="tokens", length=7):
    what = signature(kind, length)
    return student(what), output_teacher(what), batch(what)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_distillation_is_the_kl_of_a_plain_loop(kind, length):
    own, teacher, data = setting(kind, length)
    losses = descend(Distillation(own, teacher), data)
    found = gradients(own)
    own.zero_grad(set_to_none=True)
    terms = []
    with torch.no_grad():
        wanted = teacher(data.x)[0]
    for b in range(len(data.x)):
        m = own.start()
        for t in range(length):
            m = own.step(m, data.x[b, t])
            if data.mask[b, t]:
                terms.append(divergence(own.signature.outputs, wanted[b, t], own.readout(m)))
    expected = torch.stack(terms).mean()
    expected.backward()
    torch.testing.assert_close(losses.total.detach(), expected.detach())
    assert_same(found, gradients(own))


def test_the_student_alone_moves():
    own, teacher, data = setting()
    method = Distillation(own, teacher)
    descend(method, data)
    assert all(p.grad is None for p in teacher.parameters())
    assert all(g.any() for g in gradients(own))
    assert {id(p) for p in method.parameters()} == {id(p) for p in own.parameters()}


def test_the_logged_readout_is_the_loss_of_bptt_and_has_no_gradient():
    own, teacher, data = setting()
    losses = descend(Distillation(own, teacher), data)
    torch.testing.assert_close(
        losses.terms["readout"], bptt(own).losses(data, seeded()).total.detach()
    )
    assert not losses.terms["readout"].requires_grad


def test_a_teacher_that_knows_the_answer_is_bptt(monkeypatch):
    """KL from a certain distribution is cross-entropy."""
    own, teacher, data = setting()
    certain = 1e3 * torch.nn.functional.one_hot(data.y, 4).double()
    monkeypatch.setattr(teacher, "forward", lambda x: (certain, None))
    found = descend(Distillation(own, teacher), data).total.detach(), gradients(own)
    expected = descend(bptt(own), data).total.detach(), gradients(own)
    torch.testing.assert_close(found[0], expected[0])
    assert_same(found[1], expected[1])


def test_outputs_that_do_not_count_move_nothing():
    own, teacher, data = setting()
    other = data._replace(y=torch.where(data.mask, data.y, (data.y + 1) % 4))
    for method in (Distillation(own, teacher), Parallel(teacher)):
        network = teacher if isinstance(method, Parallel) else own
        expected = descend(method, data).total.detach(), gradients(network)
        found = descend(method, other).total.detach(), gradients(network)
        assert torch.equal(found[0], expected[0])
        assert_same(found[1], expected[1], tolerance=0)


@pytest.mark.parametrize("kind", KINDS)
def test_parallel_training_is_the_cross_entropy_of_every_output(kind):
    what = signature(kind)
    net, data = baseline(what), batch(what)
    method = Parallel(net)
    found = descend(method, data).total.detach()
    expected = output_loss(what.outputs, net(data.x)[0], data.y)[data.mask].mean()
    torch.testing.assert_close(found, expected.detach())
    assert {id(p) for p in method.parameters()} == {id(p) for p in net.parameters()}
    assert all(g.any() for g in gradients(net))


def test_serial_calls():
    own, teacher, _ = setting()
    assert Distillation(own, teacher).serial_calls(64) == 64
    assert Parallel(teacher).serial_calls(64) == 0
    assert TruncatedBPTT(own, 3).serial_calls(64) == 64


class Same:
    """The same few sequences at every step."""

    def __init__(self, data) -> None:
        self.signature, self.data = signature(), data

    def batch(self, seed, index, size):
        return self.data


def falls(method, data, steps: int) -> bool:
    """Does the loss on a few sequences, seen again and again, halve?"""
    record, config = Record(), FitConfig(batch=len(data.x), warmup=5)
    context = FitContext(callbacks=[record])
    fit(method, Same(data), 1e-2, Budget(steps=steps), config, context)
    return record.terms[-1]["loss"] < 0.5 * record.terms[0]["loss"]


@pytest.mark.parametrize("name", ["s4d", "mingru", "attention"])
def test_a_baseline_learns(name):
    assert falls(Parallel(baseline(signature(), name)), batch(signature(), 8), 100)


def test_a_student_learns_what_a_transformer_has_learned():
    own, teacher, data = setting()
    assert falls(Parallel(teacher), data, 60)
    before = bptt(own).losses(data, seeded()).total
    assert falls(Distillation(own, teacher), data, 60)
    assert bptt(own).losses(data, seeded()).total < 0.7 * before
