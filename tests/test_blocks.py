"""Rotary positions, attention and Transformers, by brute force."""

import math

import pytest
import torch
from oracles import rotated
from tiny import seeded

from pastforward.blocks import Attention, Transformer, rotary_table, rotate, without_values


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(), dtype=torch.float64)


def test_rotary_tables_of_two_lengths_agree():
    assert torch.equal(rotary_table(5, 6), rotary_table(9, 6)[:, :5])


def test_rotary_products_depend_on_distance_alone():
    table = rotary_table(9, 6).double()
    q, k = normal(2, 6)
    products = rotate(q.expand(9, -1), table) @ rotate(k.expand(9, -1), table).T
    for distance in range(-8, 9):
        line = products.diagonal(distance)
        torch.testing.assert_close(line, line[:1].expand_as(line), rtol=0, atol=1e-5)
    assert products.diagonal(1)[0] != pytest.approx(float(products.diagonal(-1)[0]), abs=1e-3)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("rotary", [True, False])
def test_attention_by_brute_force(causal, rotary):
    torch.manual_seed(0)
    layer, h = Attention(6, 3, causal).double(), normal(2, 4, 6)
    q, k, v = (layer.qkv.weight @ h[..., None])[..., 0].detach().split(6, -1)
    placed = rotated if rotary else lambda vector, _: vector
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
    table = rotary_table(4, 2).double() if rotary else None
    found = layer(h, table)
    torch.testing.assert_close(found, expected @ layer.out.weight.T, rtol=0, atol=1e-6)


def test_a_transformer_tells_order():
    torch.manual_seed(0)
    transformer = Transformer(8, 2, 2, 4, causal=False).double()
    h, order = normal(1, 4, 8), [2, 0, 3, 1]
    assert (transformer(h[:, order]) - transformer(h)[:, order]).abs().max() > 1e-6


def test_modules_without_values_have_sizes_and_draw_nothing():
    before = torch.get_rng_state()
    with without_values():
        bare = Transformer(8, 2, 2, 4, causal=True)
    assert torch.equal(torch.get_rng_state(), before)
    shapes = [p.shape for p in Transformer(8, 2, 2, 4, causal=True).parameters()]
    assert [p.shape for p in bare.parameters()] == shapes
