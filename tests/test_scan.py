"""Linear recurrences, parallel over time, against plain loops."""

import pytest
import torch
from tiny import assert_same

from pastforward.memory import rms_norm
from pastforward.scan import DiagonalRecurrence, matrix_recurrence
from pastforward.types import MemoryShape


def test_an_extrapolated_memory_is_that_of_steps_that_write_nothing():
    torch.manual_seed(0)
    recurrence = DiagonalRecurrence(MemoryShape(3, 4), 3.0, 18.0).double()
    written = torch.zeros(2, 40, 12, dtype=torch.float64)
    written[:, 0] = torch.randn(2, 12, dtype=torch.float64)
    m = recurrence(written)
    torch.testing.assert_close(recurrence.extrapolate(m[:, 0], 39), m[:, 1:], rtol=0, atol=1e-12)
    found = recurrence.extrapolate(m[:, :30], 3)[:, :, 2]
    torch.testing.assert_close(found, m[:, 3:33], rtol=0, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("length", [1, 31, 32, 33, 70])
def test_a_diagonal_recurrence_by_brute_force(length, bias):
    torch.manual_seed(0)
    recurrence = DiagonalRecurrence(MemoryShape(3, 4), 3.0, 18.0).double()
    write = torch.nn.Linear(5, 12, bias).double()
    h = torch.randn(2, length, 5, dtype=torch.float64, requires_grad=True)
    m, steps = torch.zeros(2, 12, dtype=torch.float64), []
    one = torch.ones((), dtype=torch.long)
    for t in range(length):
        m = recurrence.turned(m, one) + recurrence.gain() * write(h[:, t])
        steps.append(m)
    sides = []
    for found in (recurrence.of_states(h, write), recurrence(write(h)), torch.stack(steps, 1)):
        learned = [*recurrence.parameters(), *write.parameters()]
        slopes = torch.autograd.grad(found.sin().sum(), (h, *learned), retain_graph=True)
        sides.append([found.detach(), *slopes])
    assert_same(sides[0], sides[2], tolerance=1e-9)
    assert_same(sides[1], sides[2], tolerance=1e-9)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 10, 65])
def test_matrix_recurrence_by_brute_force(length):
    torch.manual_seed(0)
    a = (0.4 * torch.randn(2, length, 3, 4, 4, dtype=torch.float64)).requires_grad_()
    w = torch.randn(2, length, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    start = torch.randn(2, 1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    steps = [start[:, 0]]
    for t in range(length):
        steps.append(a[:, t] @ steps[-1] + w[:, t])
    sides = []
    for found in (matrix_recurrence(a, w, start), torch.stack(steps, 1)):
        slopes = torch.autograd.grad(found.sin().sum(), (start, a, w)[: 3 if length else 1])
        sides.append([found.detach(), *slopes])
    assert_same(*sides, tolerance=1e-8)


@pytest.mark.parametrize("length", [1, 5, 70])
def test_sums_at_few_times_are_those_of_a_scan_of_each_channel(length):
    torch.manual_seed(0)
    recurrence = DiagonalRecurrence(MemoryShape(2, 4), 3.0, 18.0).double()
    x = torch.randn(2, length, 3, dtype=torch.float64, requires_grad=True)
    times = torch.tensor([[0, 1, length], [length, (length + 1) // 2, 0]])
    one = torch.tensor([1.0, 0.0]).repeat(recurrence.modes).double() / recurrence.gain()
    whole = torch.stack([recurrence(x[..., c, None] * one) for c in range(3)], 2)
    whole = torch.cat([torch.zeros_like(whole[:, :1]), whole], 1)
    expected = whole[torch.arange(2)[:, None], times]
    sides = []
    for found in (recurrence.sums(x, times), expected):
        slopes = torch.autograd.grad(found.sin().sum(), (x, *recurrence.parameters()))
        sides.append([found.detach(), *slopes])
    assert_same(*sides, tolerance=1e-9)


def test_under_autocast_recurrences_and_norms_are_in_float32():
    torch.manual_seed(0)
    recurrence = DiagonalRecurrence(MemoryShape(2, 4), 1.0, 400.0)
    w = torch.randn(2, 300, 8).bfloat16()
    steps = torch.arange(300).expand(2, -1)
    expected = recurrence(w.float()), recurrence.sums(w.float(), steps), rms_norm(w.float())
    with torch.autocast("cpu", torch.bfloat16):
        found = recurrence(w), recurrence.sums(w.float(), steps), rms_norm(w)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)
