"""Backpropagation through time against autograd through a plain loop, in double precision."""

import pytest
import torch
from oracles import through_time
from tiny import SIZES, assert_same, batch, descend, gradients, pair, signature, still, student

from pastforward.methods.bptt import TruncatedBPTT, bptt

KINDS = ("tokens", "vectors")


def by_loop(own, data, cut):
    own.zero_grad(set_to_none=True)
    loss = through_time(own, data, cut)
    loss.backward()
    return loss.detach(), gradients(own)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["gru", "transformer"])
@pytest.mark.parametrize(("length", "slots"), SIZES)
def test_bptt_is_autograd_through_the_loop(kind, cell, length, slots):
    what = signature(kind, length)
    own, data = student(what, cell, slots), batch(what, count=2)
    losses = descend(bptt(own), data)
    found = gradients(own)
    loss, expected = by_loop(own, data, cut=length)
    torch.testing.assert_close(losses.total.detach(), loss)
    assert_same(found, expected)


@pytest.mark.parametrize("window", [1, 2, 3, 6, 7, 50])
def test_truncated_is_the_loop_with_detach(window):
    own, _, data = pair("vectors")
    losses = descend(TruncatedBPTT(own, window), data)
    found = gradients(own)
    loss, expected = by_loop(own, data, cut=window)
    torch.testing.assert_close(losses.total.detach(), loss)
    assert_same(found, expected)


@pytest.mark.parametrize("window", [7, 8])
def test_truncated_at_the_whole_length_is_bptt(window):
    own, _, data = pair()
    expected = descend(bptt(own), data).total.detach(), gradients(own)
    found = descend(TruncatedBPTT(own, window), data).total.detach(), gradients(own)
    assert torch.equal(found[0], expected[0])
    assert_same(found[1], expected[1], tolerance=0)


def test_the_cut_cuts():
    own, _, data = pair()
    mask = torch.zeros_like(data.mask)
    mask[:, 6] = True  # the loss of y_7 alone; windows of 3 are 1-3, 4-6 and 7
    late = data._replace(mask=mask)
    descend(bptt(own), late)
    assert own.empty.grad is not None
    assert own.empty.grad.any()
    descend(TruncatedBPTT(own, 3), late)
    assert still([own.empty])
    seen = torch.zeros(5, dtype=torch.bool)
    seen[late.x[:, 6]] = True
    assert own.embed.weight.grad.any(-1).tolist() == seen.tolist()


def test_the_value_does_not_depend_on_the_cut():
    own, _, data = pair()
    whole = descend(bptt(own), data).total.detach()
    torch.testing.assert_close(descend(TruncatedBPTT(own, 2), data).total.detach(), whole)


def test_only_the_student_is_trained():
    own, teacher, data = pair()
    method = bptt(own)
    descend(method, data)
    assert {id(p) for p in method.parameters()} == {id(p) for p in own.parameters()}
    assert still(teacher)
    assert all(g.any() for g in gradients(own))


def test_outputs_that_do_not_count_move_nothing():
    own, _, data = pair()
    other = data._replace(y=torch.where(data.mask, data.y, (data.y + 1) % 4))
    assert not torch.equal(other.y, data.y)
    expected = descend(bptt(own), data).total.detach(), gradients(own)
    found = descend(bptt(own), other).total.detach(), gradients(own)
    assert torch.equal(found[0], expected[0])
    assert_same(found[1], expected[1], tolerance=0)


@pytest.mark.parametrize("window", [2, 7])
def test_serial_calls_are_the_length(window):
    own, _, _ = pair()
    assert TruncatedBPTT(own, window).serial_calls(64) == 64
