import math

import pytest
import torch
from tiny import gradients, pair, seeded, sequence, still
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from pastforward.losses import (
    FLOOR,
    consistency,
    covariance,
    gaussian,
    masked_mean,
    squared_error,
    transition_weights,
    uniformity,
    variance_unexplained,
)
from pastforward.memory import rms_norm

KINDS = ("tokens", "vectors")
AXES = torch.eye(8, dtype=torch.float64)
SPREADS = {"covariance": covariance, "gaussian": lambda m: gaussian(m, 3 * AXES)}


def memories(*leading: int, seed: int = 0) -> torch.Tensor:
    m = torch.randn(*leading, 2, 4, generator=seeded(seed), dtype=torch.float64)
    return rms_norm(m)


def test_squared_error_by_hand():
    target = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    predicted = torch.tensor([[[1.0, 0.0], [3.0, 3.0]]])
    assert squared_error(predicted, target).tolist() == [1.25]


@pytest.mark.parametrize("scale", [0.3, 20.0, 1000.0])
def test_unexplained_does_not_reward_collapse(scale):
    target, reached = memories(3, 7), memories(3, 7, seed=1)
    centre = target.mean(0)

    def share(target, reached):  # of the variance that is missed, the floor of it taken out
        spread = (target - target.mean(0)).square().mean()
        return variance_unexplained(reached, target) * (1 + FLOOR / spread)

    shrunk = centre + scale * (target - centre), centre + scale * (reached - centre)
    torch.testing.assert_close(share(*shrunk), share(target, reached))
    assert variance_unexplained(reached, target).shape == (3, 7)


def test_a_clock_that_all_sequences_share_explains_nothing():
    target, reached = memories(3, 7), memories(3, 7, seed=1)
    clock = 5 * memories(7, seed=2)
    torch.testing.assert_close(
        variance_unexplained(reached + clock, target + clock), variance_unexplained(reached, target)
    )


def test_predicting_the_mean_of_each_step_explains_nothing():
    target = 100 * memories(3, 7)
    centre = target.mean(0).expand_as(target)
    assert float(variance_unexplained(centre, target).mean()) == pytest.approx(1.0, abs=1e-4)
    assert not variance_unexplained(target, target).any()


def test_no_gradient_draws_labels_together():
    target, reached = 1000 * memories(3, 7), 1000 * memories(3, 7, seed=1)
    centre, scale = target.mean(0), torch.ones((), dtype=torch.float64, requires_grad=True)
    shrunk = (centre + scale * (part - centre) for part in (reached, target))
    (slope,) = torch.autograd.grad(variance_unexplained(*shrunk).mean(), scale)
    assert float(slope) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("count", [1, 3])
def test_unexplained_is_finite_when_all_labels_agree(count):
    target = memories(1, 4).expand(count, -1, -1, -1).clone().requires_grad_()
    variance_unexplained(memories(count, 4, seed=1), target).sum().backward()
    assert target.grad is not None
    assert target.grad.isfinite().all()


def test_emphasis_has_mean_1_and_follows_change():
    before = memories(3, 7).requires_grad_()
    after = before.detach().clone()
    after[0, 2] = memories(seed=5)
    weight = transition_weights(before, after)
    assert not weight.requires_grad
    assert float(weight.mean()) == pytest.approx(1.0, abs=1e-4)
    still_ones = torch.ones(3, 7, dtype=torch.bool)
    still_ones[0, 2] = False
    torch.testing.assert_close(weight[still_ones], torch.full((20,), 0.5).double())
    assert float(weight[0, 2]) == pytest.approx(0.5 + 21 / 2, rel=1e-3)


def test_emphasis_of_labels_that_hold_still_is_finite():
    target = memories(2, 3)
    torch.testing.assert_close(transition_weights(target, target), torch.full((2, 3), 0.5).double())


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


def all_signs() -> torch.Tensor:
    """`[1, 16, 2, 4]`: eight numbers of variance 1, none of which tells anything of another."""
    fours = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 4)
    a, b, c, d = fours.unbind(-1)
    columns = [a, b, c, d, a * b, b * c, c * d, a * b * c * d]
    return torch.stack(columns, -1).unflatten(-1, (2, 4))[None]


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_covariance_by_brute_force(steps, count):
    m = memories(steps, count)
    total = 0.0
    for at in m.flatten(2):
        table = torch.cov(at.T, correction=0)
        for i in range(8):
            total += max(0.0, 1.0 - math.sqrt(float(table[i, i]) + 1e-4)) / 8
            total += sum(float(table[i, j]) ** 2 for j in range(8) if j != i) / 56
    assert float(covariance(m)) == pytest.approx(total / steps, abs=1e-12)


def test_covariance_is_0_only_for_numbers_that_vary_and_repeat_nothing():
    m = all_signs()
    assert float(covariance(m)) == pytest.approx(0.0, abs=1e-12)
    repeating = m.clone()
    repeating[..., 0, 0] = -m[..., 1, 3]
    assert float(covariance(repeating)) == pytest.approx(2 / 56)
    still_one = m.clone()
    still_one[..., 0, 0] = 1.0
    assert float(covariance(still_one)) == pytest.approx(0.99 / 8)


def test_gaussian_by_the_integral():
    m, directions = memories(3, 5), torch.randn(6, 8, generator=seeded(3), dtype=torch.float64)
    z = m.flatten(2) @ (directions / directions.norm(dim=1, keepdim=True)).T
    t = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    phase = torch.polar(torch.ones((), dtype=torch.float64), z[..., None] * t)
    distance = (phase.mean(1) - (-0.5 * t.square()).exp()).abs().square()
    density = (-0.5 * t.square()).exp() / math.sqrt(2 * math.pi)
    whole = torch.trapezoid(distance * density, t).mean()
    # The square holds all 25 pairs; 5 of them, of a memory with itself, give 1 each.
    cross = math.sqrt(2) * z.square().mul(-0.25).exp().mean() - math.sqrt(1 / 3)
    expected = ((whole + cross) * 25 - 5) / 20 - cross
    torch.testing.assert_close(gaussian(m, directions), expected, rtol=0, atol=1e-10)


def test_gaussian_is_0_on_average_over_normal_clouds_and_positive_for_others():
    cloud = torch.randn(4000, 4, 2, 4, generator=seeded(), dtype=torch.float64)
    assert float(gaussian(cloud, AXES)) == pytest.approx(0.0, abs=0.002)
    assert float(gaussian(0.5 * cloud, AXES)) > 0.05
    assert float(gaussian(cloud[:, :1].expand(-1, 4, -1, -1), AXES)) == pytest.approx(
        1 - math.sqrt(2 / 1.5) + math.sqrt(1 / 3), abs=0.01
    )


def test_gaussian_does_not_look_at_the_length_of_directions():
    m = memories(2, 5)
    torch.testing.assert_close(gaussian(m, AXES), gaussian(m, 7 * AXES))


@pytest.mark.parametrize("name", SPREADS)
def test_descending_a_spread_moves_memories_apart(name):
    near = memories(2, 1) + 0.1 * torch.randn(2, 6, 2, 4, generator=seeded(), dtype=torch.float64)
    near.requires_grad_()
    (slope,) = torch.autograd.grad(SPREADS[name](near), near)
    moved = near.detach() - 10 * slope
    assert float(SPREADS[name](moved)) < float(SPREADS[name](near).detach())
    assert float(moved.var(1).mean()) > float(near.detach().var(1).mean())


@pytest.mark.parametrize("name", SPREADS)
def test_a_spread_does_not_care_in_which_order_sequences_and_numbers_come(name):
    m = memories(3, 5)
    order, turn = torch.randperm(5, generator=seeded()), torch.randperm(8, generator=seeded())
    other = m[:, order].flatten(2)[..., turn].view_as(m)
    torch.testing.assert_close(SPREADS[name](other), SPREADS[name](m))
    torch.testing.assert_close(SPREADS[name](-m), SPREADS[name](m))


def test_a_clock_that_all_sequences_share_is_no_covariance():
    m = memories(3, 5)
    clock = 5 * memories(3, 1, seed=2)
    torch.testing.assert_close(covariance(m + clock), covariance(m))


@pytest.mark.parametrize("name", SPREADS)
@pytest.mark.parametrize("count", [1, 4])
def test_a_spread_of_equal_memories_has_a_finite_gradient(name, count):
    m = memories(2, 1).expand(-1, count, -1, -1).clone().requires_grad_()
    value = SPREADS[name](m) + 0.0 * m.sum()
    value.backward()
    assert m.grad is not None
    assert m.grad.isfinite().all()
    assert (float(value.detach()) == 0.0) == (count == 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("future", [1, 4])
def test_consistency_by_brute_force(kind, future):
    own, guide, _ = pair(kind)
    outputs = own.signature.outputs
    x = sequence(own.signature.inputs, 6, future - 1, 3).unflatten(0, (3, 2))
    target, reached = memories(3, 2), memories(3, 2, seed=1)

    def distribution(m):
        p = guide.decoder(m, x).detach()
        if kind == "tokens":
            return Categorical(logits=p)
        return Independent(Normal(p[..., : outputs.width], p[..., outputs.width :].exp()), 1)

    found = consistency(guide.decoder, outputs, target, reached, x)
    expected = kl_divergence(distribution(target), distribution(reached))
    assert found.shape == (3, 2, future)
    assert (expected > 1e-6).all()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_consistency_is_zero_where_the_label_is_reached(kind):
    own, guide, _ = pair(kind)
    x = sequence(own.signature.inputs, 6, 3, 3).unflatten(0, (3, 2))
    target = memories(3, 2)
    reached = target.clone().requires_grad_()
    found = consistency(guide.decoder, own.signature.outputs, target, reached, x)
    found.sum().backward()
    torch.testing.assert_close(found.detach(), torch.zeros(3, 2, 4).double(), rtol=0, atol=1e-14)
    assert reached.grad is not None
    torch.testing.assert_close(reached.grad, torch.zeros_like(reached), rtol=0, atol=1e-14)


def test_consistency_moves_what_was_reached_and_nothing_else():
    own, guide, _ = pair("tokens")
    x = sequence(own.signature.inputs, 6, 3, 3).unflatten(0, (3, 2))
    target, reached = memories(3, 2).requires_grad_(), memories(3, 2, seed=1).requires_grad_()
    consistency(guide.decoder, own.signature.outputs, target, reached, x).sum().backward()
    assert reached.grad is not None
    assert reached.grad.flatten(2).any(-1).all()
    assert target.grad is None
    assert still(guide)
    assert all(p.requires_grad for p in guide.parameters())
    assert len(gradients(guide.decoder)) > 0
