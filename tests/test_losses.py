"""Losses against loops and by hand."""

import math

import pytest
import torch
from tiny import gradients, pair, seeded, sequence, still
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from pastforward.losses import (
    MIN_VARIANCE,
    consistency,
    masked_mean,
    mean_output_loss,
    output_weights,
    relevant,
    squared_error,
    transition_weights,
    uniformity,
    variance_unexplained,
)
from pastforward.memory import rms_norm
from pastforward.types import Signature, Tokens

KINDS = ("tokens", "vectors")


def memories(*leading: int, seed: int = 0) -> torch.Tensor:
    m = torch.randn(*leading, 2, 4, generator=seeded(seed), dtype=torch.float64)
    return rms_norm(m)


def test_squared_error_by_hand():
    target = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    predicted = torch.tensor([[[1.0, 0.0], [3.0, 3.0]]])
    assert squared_error(predicted, target).tolist() == [1.25]


@pytest.mark.parametrize("scale", [0.3, 20.0, 1000.0])
def test_variance_unexplained_does_not_reward_collapse(scale):
    target, reached = memories(3, 7), memories(3, 7, seed=1)
    centre = target.mean(0)

    def share(target, reached):  # of the variance that is missed, without the added constant
        spread = (target - target.mean(0)).square().mean()
        return variance_unexplained(reached, target) * (1 + MIN_VARIANCE / spread)

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


def test_no_gradient_moves_targets_together():
    target, reached = 1000 * memories(3, 7), 1000 * memories(3, 7, seed=1)
    centre, scale = target.mean(0), torch.ones((), dtype=torch.float64, requires_grad=True)
    shrunk = (centre + scale * (part - centre) for part in (reached, target))
    (slope,) = torch.autograd.grad(variance_unexplained(*shrunk).mean(), scale)
    assert float(slope) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("count", [1, 3])
def test_variance_unexplained_is_finite_when_all_targets_are_equal(count):
    target = memories(1, 4).expand(count, -1, -1, -1).clone().requires_grad_()
    variance_unexplained(memories(count, 4, seed=1), target).sum().backward()
    assert target.grad is not None
    assert target.grad.isfinite().all()


def test_transition_weights_have_mean_1_and_follow_change():
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


def test_transition_weights_of_constant_targets_are_finite():
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


def test_relevant_by_hand():
    mask = torch.tensor([[0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]])
    expected = torch.tensor([[1, 1, 1, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    assert torch.equal(relevant(mask.bool()), expected.bool())


USED = torch.arange(7) < torch.tensor([7, 2, 5, 0])[:, None]
"""Steps of four sequences of 7, 2, 5 and no steps."""


def test_variance_of_the_steps_used_by_brute_force():
    target, reached = memories(4, 7), memories(4, 7, seed=1)
    squares = []
    for t in range(7):
        rows = [target[b, t] for b in range(4) if USED[b, t]]
        centre = torch.stack(rows).mean(0)
        squares += [float((row - centre).square().mean()) for row in rows]
    expected = squared_error(reached, target) / (sum(squares) / len(squares) + MIN_VARIANCE)
    found = variance_unexplained(reached, target, USED)
    torch.testing.assert_close(found[USED], expected[USED])
    everywhere = torch.ones_like(USED)
    all_used = variance_unexplained(reached, target, everywhere)
    torch.testing.assert_close(all_used, variance_unexplained(reached, target))
    spread = (target - target.mean(0)).square().mean()
    torch.testing.assert_close(all_used, squared_error(reached, target) / (spread + MIN_VARIANCE))


def test_transition_weights_have_mean_1_over_the_steps_used():
    before, after = memories(4, 7), memories(4, 7, seed=1)
    after[~USED] *= 100
    weight = transition_weights(before, after, USED)
    assert float(weight[USED].mean()) == pytest.approx(1.0, abs=1e-5)
    everywhere = transition_weights(before, after, torch.ones_like(USED))
    torch.testing.assert_close(everywhere, transition_weights(before, after))


def test_uniformity_of_the_steps_used_is_that_of_the_sequences_that_have_them():
    m = memories(7, 4).requires_grad_()
    several = [t for t in range(7) if USED[:, t].sum() > 1]
    expected = torch.stack([uniformity(m[t, USED[:, t]][None]) for t in several]).mean()
    found = uniformity(m, USED.T)
    torch.testing.assert_close(found, expected)
    slopes = [torch.autograd.grad(value, m)[0] for value in (found, expected)]
    torch.testing.assert_close(*slopes)
    assert len(several) == 5


def test_outputs_are_weighed_by_their_classes_as_cross_entropy_does():
    y = torch.randint(4, (3, 7), generator=seeded())
    p = torch.randn(3, 7, 4, generator=seeded(1), dtype=torch.float64)
    mask, weights = torch.rand(3, 7, generator=seeded(2)) < 0.6, (0.5, 2.0, 1.5, 0.0)
    signature = Signature(Tokens(5), Tokens(4), 7, weights)
    wanted = torch.nn.functional.cross_entropy(
        p[mask], y[mask], weight=torch.tensor(weights, dtype=torch.float64)
    )
    torch.testing.assert_close(mean_output_loss(signature, p, y, mask), wanted)
    plain = Signature(Tokens(5), Tokens(4), 7)
    wanted = torch.nn.functional.cross_entropy(p[mask], y[mask])
    torch.testing.assert_close(mean_output_loss(plain, p, y, mask), wanted)
    assert torch.equal(output_weights(plain, y, mask), mask.float())


@pytest.mark.parametrize("weights", [None, (1.0, 1.0)])
def test_no_output_at_all_is_a_loss_of_0_with_gradient_0(weights):
    p, y = torch.ones(2, 3, 2, requires_grad=True), torch.zeros(2, 3, dtype=torch.long)
    signature = Signature(Tokens(5), Tokens(2), 3, weights)
    loss = mean_output_loss(signature, p, y, torch.zeros(2, 3, dtype=torch.bool))
    (slope,) = torch.autograd.grad(loss, p)
    assert loss.item() == 0.0
    assert not slope.any()


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


def test_descending_uniformity_moves_memories_apart():
    near = memories(2, 1) + 0.1 * torch.randn(2, 6, 2, 4, generator=seeded(), dtype=torch.float64)
    near.requires_grad_()
    (slope,) = torch.autograd.grad(uniformity(near), near)
    moved = near.detach() - 10 * slope
    assert float(uniformity(moved)) < float(uniformity(near).detach())
    assert float(moved.var(1).mean()) > float(near.detach().var(1).mean())


def test_uniformity_does_not_depend_on_the_order_of_sequences():
    m, order = memories(3, 5), torch.randperm(5, generator=seeded())
    torch.testing.assert_close(uniformity(m[:, order]), uniformity(m))


def test_uniformity_of_equal_memories_has_a_finite_gradient():
    m = memories(2, 1).expand(-1, 4, -1, -1).clone().requires_grad_()
    uniformity(m).backward()
    assert m.grad is not None
    assert m.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("future", [1, 4])
def test_consistency_by_brute_force(kind, future):
    own, teacher, _ = pair(kind)
    outputs = own.signature.outputs
    x = sequence(own.signature.inputs, 6, future - 1, 3).unflatten(0, (3, 2))
    target, reached = memories(3, 2), memories(3, 2, seed=1)

    def distribution(m):
        p = teacher.decoder(m, x).detach()
        if kind == "tokens":
            return Categorical(logits=p)
        return Independent(Normal(p[..., : outputs.width], p[..., outputs.width :].exp()), 1)

    found = consistency(teacher.decoder, outputs, target, reached, x)
    expected = kl_divergence(distribution(target), distribution(reached))
    assert found.shape == (3, 2, future)
    assert (expected > 1e-6).all()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_consistency_is_zero_where_the_target_is_reached(kind):
    own, teacher, _ = pair(kind)
    x = sequence(own.signature.inputs, 6, 3, 3).unflatten(0, (3, 2))
    target = memories(3, 2)
    reached = target.clone().requires_grad_()
    found = consistency(teacher.decoder, own.signature.outputs, target, reached, x)
    found.sum().backward()
    torch.testing.assert_close(found.detach(), torch.zeros(3, 2, 4).double(), rtol=0, atol=1e-14)
    assert reached.grad is not None
    torch.testing.assert_close(reached.grad, torch.zeros_like(reached), rtol=0, atol=1e-14)


def test_consistency_moves_what_was_reached_and_nothing_else():
    own, teacher, _ = pair("tokens")
    x = sequence(own.signature.inputs, 6, 3, 3).unflatten(0, (3, 2))
    target, reached = memories(3, 2).requires_grad_(), memories(3, 2, seed=1).requires_grad_()
    consistency(teacher.decoder, own.signature.outputs, target, reached, x).sum().backward()
    assert reached.grad is not None
    assert reached.grad.flatten(2).any(-1).all()
    assert target.grad is None
    assert still(teacher)
    assert all(p.requires_grad for p in teacher.parameters())
    assert len(gradients(teacher.decoder)) > 0
