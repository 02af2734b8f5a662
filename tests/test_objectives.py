import math

import pytest
import torch
from tiny import gradients, pair, seeded, sequence, still
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from pastforward.memory import rms_norm
from pastforward.objectives import (
    consistency,
    emphasis,
    masked_mean,
    squared_error,
    unexplained,
    uniformity,
)
from pastforward.objectives.dynamics import FLOOR

KINDS = ("tokens", "vectors")


def memories(*leading: int, seed: int = 0) -> torch.Tensor:
    m = torch.randn(*leading, 2, 4, generator=seeded(seed), dtype=torch.float64)
    return rms_norm(m)


def test_squared_error_by_hand():
    label = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    predicted = torch.tensor([[[1.0, 0.0], [3.0, 3.0]]])
    assert squared_error(predicted, label).tolist() == [1.25]


@pytest.mark.parametrize("scale", [0.3, 20.0, 1000.0])
def test_unexplained_does_not_reward_collapse(scale):
    label, reached = memories(3, 7), memories(3, 7, seed=1)
    centre = label.mean(0)

    def share(label, reached):  # of the variance that is missed, the floor of it taken out
        spread = (label - label.mean(0)).square().mean()
        return unexplained(reached, label) * (1 + FLOOR / spread)

    shrunk = centre + scale * (label - centre), centre + scale * (reached - centre)
    torch.testing.assert_close(share(*shrunk), share(label, reached))
    assert unexplained(reached, label).shape == (3, 7)


def test_a_clock_that_all_sequences_share_explains_nothing():
    label, reached = memories(3, 7), memories(3, 7, seed=1)
    clock = 5 * memories(7, seed=2)
    torch.testing.assert_close(
        unexplained(reached + clock, label + clock), unexplained(reached, label)
    )


def test_predicting_the_mean_of_each_step_explains_nothing():
    label = 100 * memories(3, 7)
    centre = label.mean(0).expand_as(label)
    assert float(unexplained(centre, label).mean()) == pytest.approx(1.0, abs=1e-4)
    assert not unexplained(label, label).any()


def test_no_gradient_draws_labels_together():
    label, reached = 1000 * memories(3, 7), 1000 * memories(3, 7, seed=1)
    centre, scale = label.mean(0), torch.ones((), dtype=torch.float64, requires_grad=True)
    shrunk = (centre + scale * (part - centre) for part in (reached, label))
    (slope,) = torch.autograd.grad(unexplained(*shrunk).mean(), scale)
    assert float(slope) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("count", [1, 3])
def test_unexplained_is_finite_when_all_labels_agree(count):
    label = memories(1, 4).expand(count, -1, -1, -1).clone().requires_grad_()
    unexplained(memories(count, 4, seed=1), label).sum().backward()
    assert label.grad is not None
    assert label.grad.isfinite().all()


def test_emphasis_has_mean_1_and_follows_change():
    before = memories(3, 7).requires_grad_()
    after = before.detach().clone()
    after[0, 2] = memories(seed=5)
    weight = emphasis(before, after)
    assert not weight.requires_grad
    assert float(weight.mean()) == pytest.approx(1.0, abs=1e-4)
    still_ones = torch.ones(3, 7, dtype=torch.bool)
    still_ones[0, 2] = False
    torch.testing.assert_close(weight[still_ones], torch.full((20,), 0.5).double())
    assert float(weight[0, 2]) == pytest.approx(0.5 + 21 / 2, rel=1e-3)


def test_emphasis_of_labels_that_hold_still_is_finite():
    label = memories(2, 3)
    torch.testing.assert_close(emphasis(label, label), torch.full((2, 3), 0.5).double())


def test_masked_mean_by_hand():
    values = torch.tensor([[1.0, 2.0], [4.0, math.inf]])
    mask = torch.tensor([[True, False], [True, False]])
    assert float(masked_mean(values, mask)) == 2.5


def test_masked_mean_of_nothing_is_0_with_gradient_0():
    values = torch.ones(2, 2, requires_grad=True)
    mean = masked_mean(values, torch.zeros(2, 2, dtype=torch.bool))
    mean.backward()
    assert float(mean.detach()) == 0.0
    assert values.grad is not None
    assert not values.grad.any()


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_uniformity_by_brute_force(steps, count):
    m = memories(steps, count)

    def potential(rows):
        rows = rows / rows.norm(dim=-1, keepdim=True)
        pairs = [(i, j) for i in range(count) for j in range(i)]
        terms = [math.exp(-2 * float((rows[i] - rows[j]).square().sum())) for i, j in pairs]
        return math.log(sum(terms) / len(terms))

    whole = [potential(at.flatten(1)) for at in m]
    slots = [potential(at[:, k]) for at in m for k in range(2)]
    expected = 0.5 * sum(whole) / len(whole) + 0.5 * sum(slots) / len(slots)
    assert float(uniformity(m)) == pytest.approx(expected, abs=1e-12)


def test_uniformity_is_0_for_equal_memories_and_lower_for_others():
    same = memories(4, 1).expand(-1, 5, -1, -1)
    assert float(uniformity(same)) == pytest.approx(0.0, abs=1e-12)
    one_slot = same.clone()
    one_slot[:, :, 0] = memories(4, 5)[:, :, 0]
    assert float(uniformity(memories(4, 5))) < float(uniformity(one_slot)) < -0.1


def test_uniformity_of_one_sequence_is_0_with_gradient_0():
    m = memories(2, 1).requires_grad_()
    value = uniformity(m) + 0.0 * m.sum()
    value.backward()
    assert float(value.detach()) == 0.0
    assert m.grad is not None
    assert not m.grad.any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("future", [1, 4])
def test_consistency_by_brute_force(kind, future):
    own, guide, _ = pair(kind)
    outputs = own.signature.outputs
    x = sequence(own.signature.inputs, 6, future - 1, 3).unflatten(0, (3, 2))
    label, reached = memories(3, 2), memories(3, 2, seed=1)

    def distribution(m):
        p = guide.decoder(m, x).detach()
        if kind == "tokens":
            return Categorical(logits=p)
        return Independent(Normal(p[..., : outputs.width], p[..., outputs.width :].exp()), 1)

    found = consistency(guide.decoder, outputs, label, reached, x)
    expected = kl_divergence(distribution(label), distribution(reached))
    assert found.shape == (3, 2, future)
    assert (expected > 1e-6).all()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_consistency_is_zero_where_the_label_is_reached(kind):
    own, guide, _ = pair(kind)
    x = sequence(own.signature.inputs, 6, 3, 3).unflatten(0, (3, 2))
    label = memories(3, 2)
    reached = label.clone().requires_grad_()
    found = consistency(guide.decoder, own.signature.outputs, label, reached, x)
    found.sum().backward()
    torch.testing.assert_close(found.detach(), torch.zeros(3, 2, 4).double(), rtol=0, atol=1e-14)
    assert reached.grad is not None
    torch.testing.assert_close(reached.grad, torch.zeros_like(reached), rtol=0, atol=1e-14)


def test_consistency_moves_what_was_reached_and_nothing_else():
    own, guide, _ = pair("tokens")
    x = sequence(own.signature.inputs, 6, 3, 3).unflatten(0, (3, 2))
    label, reached = memories(3, 2).requires_grad_(), memories(3, 2, seed=1).requires_grad_()
    consistency(guide.decoder, own.signature.outputs, label, reached, x).sum().backward()
    assert reached.grad is not None
    assert reached.grad.flatten(2).any(-1).all()
    assert label.grad is None
    assert still(guide)
    assert all(p.requires_grad for p in guide.parameters())
    assert len(gradients(guide.decoder)) > 0
