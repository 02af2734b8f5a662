"""Operations on memories, by hand."""

import math

import pytest
import torch
from tiny import seeded

from pastforward.memory import flat, rms_norm, scale_gradient, take


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(), dtype=torch.float64)


def test_rms_norm_by_hand():
    m = torch.tensor([[3.0, 4.0], [0.0, 2.0]], dtype=torch.float64)
    size = math.sqrt(12.5)
    expected = torch.tensor([[3 / size, 4 / size], [0.0, math.sqrt(2)]], dtype=torch.float64)
    torch.testing.assert_close(rms_norm(m), expected, rtol=0, atol=1e-6)


def test_rms_norm_keeps_direction_and_forgets_scale():
    m = normal(2, 3, 8)
    torch.testing.assert_close(rms_norm(100 * m), rms_norm(m), rtol=1e-4, atol=0)
    assert torch.equal(rms_norm(m).sign(), m.sign())


def test_rms_norm_of_zero_is_finite_with_gradient():
    m = torch.zeros(1, 4, requires_grad=True)
    rms_norm(m).sum().backward()
    assert m.grad is not None
    assert m.grad.isfinite().all()


def test_flat_puts_slots_one_after_the_other():
    assert flat(torch.tensor([[[1, 2], [3, 4]]]).float()).tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 2.0])
def test_scale_gradient(scale):
    m = normal(3).requires_grad_()
    out = scale_gradient(m, scale)
    torch.testing.assert_close(out.detach(), m.detach())
    if scale == 0.0:
        assert not out.requires_grad
        return
    out.backward(torch.tensor([1.0, 2.0, 3.0]).double())
    assert m.grad is not None
    torch.testing.assert_close(m.grad, scale * torch.tensor([1.0, 2.0, 3.0]).double())


def test_take_by_brute_force():
    values = torch.arange(24).view(2, 4, 3)
    times = torch.tensor([[[3, 0]], [[1, 1]]])
    assert take(values, times).tolist() == [
        [[values[b, t].tolist() for t in row] for row in times[b].tolist()] for b in range(2)
    ]
