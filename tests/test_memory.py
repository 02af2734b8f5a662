import math

import pytest
import torch
from oracles import turn
from tiny import seeded

from pastforward.blocks import Attention, Transformer, rotary_table, rotate
from pastforward.memory import flat, rms_norm, scale_gradient


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


def test_rotary_products_depend_on_distance_alone():
    table = rotary_table(9, 6).double()
    q, k = normal(2, 6)
    products = rotate(q.expand(9, -1), table) @ rotate(k.expand(9, -1), table).T
    for distance in range(-8, 9):
        line = products.diagonal(distance)
        torch.testing.assert_close(line, line[:1].expand_as(line), rtol=0, atol=1e-5)
    assert products.diagonal(1)[0] != pytest.approx(float(products.diagonal(-1)[0]), abs=1e-3)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_attention_by_brute_force(causal, turned):
    torch.manual_seed(0)
    layer, h = Attention(6, 3, causal).double(), normal(2, 4, 6)
    q, k, v = (layer.qkv.weight @ h[..., None])[..., 0].detach().split(6, -1)
    placed = turn if turned else lambda vector, _: vector
    expected = torch.zeros_like(h)
    for b in range(2):
        for t in range(4):
            for head in (slice(0, 2), slice(2, 4), slice(4, 6)):
                last = t + 1 if causal else 4
                scores = [
                    float(placed(q[b, t, head], t) @ placed(k[b, s, head], s)) / 2**0.5
                    for s in range(last)
                ]
                total = sum(math.exp(s) for s in scores)
                expected[b, t, head] = sum(
                    math.exp(score) / total * v[b, s, head] for s, score in enumerate(scores)
                )
    table = rotary_table(4, 2).double() if turned else None
    found = layer(h, table)
    torch.testing.assert_close(found, expected @ layer.out.weight.T, rtol=0, atol=1e-6)


def test_a_tower_tells_order():
    torch.manual_seed(0)
    transformer, h, order = (
        Transformer(8, 2, 2, 4, causal=False).double(),
        normal(1, 4, 8),
        [2, 0, 3, 1],
    )
    assert (transformer(h[:, order]) - transformer(h)[:, order]).abs().max() > 1e-6
