"""Real-time recurrent learning against backpropagation through time, in double precision."""

import pytest
import torch
from cell_table import NAMES, build
from tiny import assert_same, batch, descend, gradients, pair, signature, still, student

from pastforward.errors import UsageError
from pastforward.methods import rtrl
from pastforward.methods.base import Shares
from pastforward.methods.bptt import bptt
from pastforward.methods.rtrl import RTRL
from pastforward.student import Student


def outcome(method, data):
    total = descend(method, data).total.detach()
    return total, gradients(method.student)


def assert_equal_to_bptt(own, data):
    loss, expected = outcome(bptt(own), data)
    value, found = outcome(RTRL(own), data)
    torch.testing.assert_close(value, loss, rtol=0, atol=1e-12)
    assert_same(found, expected, tolerance=1e-11)


@pytest.mark.parametrize("kind", ["tokens", "vectors"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("length", "count"), [(1, 1), (2, 3), (7, 1), (7, 2)])
def test_it_is_bptt(kind, name, length, count):
    what = signature(kind, length)
    own = Student(what, build(name), hidden=5).double()
    assert_equal_to_bptt(own, batch(what, count))


def test_every_parameter_gets_its_gradient():
    own, teacher, data = pair()
    method = RTRL(own)
    descend(method, data)
    assert {id(p) for p in method.parameters()} == {id(p) for p in own.parameters()}
    assert all(g.any() for g in gradients(own))
    assert still(teacher)


@pytest.mark.parametrize("frozen", ["embed", "cell", "readout", "empty"])
def test_frozen_parameters_get_none_and_the_rest_the_same(frozen):
    own, _, data = pair()
    getattr(own, frozen).requires_grad_(False)
    assert_equal_to_bptt(own, data)
    assert all((p.grad is None) == (not p.requires_grad) for p in own.parameters())


def test_outputs_that_do_not_count_move_nothing():
    own, _, data = pair()
    other = data._replace(y=torch.where(data.mask, data.y, (data.y + 1) % 4))
    assert not torch.equal(other.y, data.y)
    expected, found = outcome(RTRL(own), data), outcome(RTRL(own), other)
    assert torch.equal(found[0], expected[0])
    assert_same(found[1], expected[1], tolerance=0)


def test_no_output_at_all_is_no_gradient():
    own, _, data = pair()
    value, found = outcome(RTRL(own), data._replace(mask=torch.zeros_like(data.mask)))
    assert float(value) == 0.0
    assert not any(g.any() for g in found)


def test_shares_of_a_batch_add_up():
    own, _, data = pair()
    _, expected = outcome(RTRL(own), data)
    own.zero_grad(set_to_none=True)
    for share in (0.25, 0.75):
        RTRL(own).accumulate_gradients(data, torch.Generator(), Shares(share, share))
    assert_same(gradients(own), expected)


def nodes(total):
    """Operations in the backward graph."""
    seen, waiting = set(), [total.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return len(seen)


def test_nothing_of_the_past_is_kept():
    """The backward graph is of one size for any T; that of BPTT grows."""
    own = student(signature(length=32))

    def kept(method, length):
        return nodes(method.losses(batch(signature(length=length)), torch.Generator()).total)

    assert kept(bptt(own), 32) > 3 * kept(bptt(own), 8)
    assert kept(RTRL(own), 32) == kept(RTRL(own), 8)


def test_too_large_an_influence_is_refused_with_a_remedy(monkeypatch):
    own, _, data = pair()
    columns = sum(p.numel() for p in own.parameters()) - sum(
        p.numel() for p in own.readout.parameters()
    )
    one = 8 * columns * 8
    monkeypatch.setattr(rtrl, "MAX_BYTES", 2 * one)
    method = RTRL(own, sequences=2)
    with pytest.raises(UsageError, match=rf"3 x 8 x {columns} .*at most 2 sequences"):
        method.losses(data, torch.Generator())
    monkeypatch.setattr(rtrl, "MAX_BYTES", one - 1)
    with pytest.raises(UsageError, match=r"smaller memory \(--student.slots"):
        RTRL(own)


def test_serial_calls_are_the_length():
    assert RTRL(pair()[0]).serial_calls(64) == 64
