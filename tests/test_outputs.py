import math

import pytest
import torch
from tiny import seeded
from torch.distributions import Bernoulli, Categorical, Independent, Normal, kl_divergence

from pastforward.blocks import embedding
from pastforward.errors import UsageError
from pastforward.outputs import (
    Readout,
    class_probabilities,
    divergence,
    most_likely,
    output_loss,
    parameter_count,
    quantiles,
    student_t,
)
from pastforward.types import Flags, MemoryShape, Quantiles, StudentT, Tokens, Vectors

LEADING = [(), (1,), (3,), (2, 3)]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def reference(kind, parameters):
    if isinstance(kind, Tokens):
        return Categorical(logits=parameters)
    if isinstance(kind, Flags):
        return Independent(Bernoulli(logits=parameters), 1)
    mean, log_std = parameters[..., : kind.width], parameters[..., kind.width :]
    return Independent(Normal(mean, log_std.exp()), 1)


@pytest.mark.parametrize("leading", LEADING[1:])
@pytest.mark.parametrize("kind", [Tokens(4), Tokens(1), Vectors(2), Vectors(1), Flags(3), Flags(1)])
def test_losses_and_divergences_are_those_of_torch(kind, leading):
    p, q = normal(*leading, parameter_count(kind)), normal(*leading, parameter_count(kind), seed=1)
    y = reference(kind, p).sample()
    torch.testing.assert_close(output_loss(kind, p, y), -reference(kind, p).log_prob(y))
    expected = kl_divergence(reference(kind, p), reference(kind, q))
    torch.testing.assert_close(divergence(kind, p, q), expected)
    torch.testing.assert_close(divergence(kind, p, p), torch.zeros(leading).double())


def test_student_t_loss_is_that_of_torch():
    kind, p, q, y = StudentT(2), normal(7, 6), normal(7, 6, seed=1), normal(7, 2, seed=2)
    mean, log_scale, freedom = student_t(p)
    assert (freedom > 2).all()
    expected = -torch.distributions.StudentT(freedom, mean, log_scale.exp()).log_prob(y).sum(-1)
    torch.testing.assert_close(output_loss(kind, p, y), expected)
    assert (divergence(kind, p, q) > 0).all()
    torch.testing.assert_close(divergence(kind, p, p), torch.zeros(7).double())
    torch.testing.assert_close(most_likely(kind, p), mean)


def test_kl_is_the_expected_log_ratio():
    kind, p, q = Tokens(3), normal(3), normal(3, seed=1)
    log_p, log_q = p.log_softmax(-1).tolist(), q.log_softmax(-1).tolist()
    by_hand = sum(math.exp(a) * (a - b) for a, b in zip(log_p, log_q, strict=True))
    assert float(divergence(kind, p, q)) == pytest.approx(by_hand)
    assert by_hand > 0.1


def test_the_likelihood_of_an_exact_prediction_is_bounded():
    kind, y = Vectors(1), torch.zeros(1, 1).double()
    sure = output_loss(kind, torch.tensor([[0.0, -50.0]]).double(), y)
    assert float(sure) == pytest.approx(-5.0 + 0.5 * math.log(2 * math.pi))


BANDS = Quantiles(2, (0.1, 0.3, 0.55, 0.9))


def quantiles_by_hand(parameters):
    """`[C][L]` of one output: the lowest, and above it steps of log(1 + exp(p))."""
    rows = []
    for row in parameters.view(BANDS.width, len(BANDS.levels)).tolist():
        rows.append([row[0]])
        for p in row[1:]:
            rows[-1].append(rows[-1][-1] + math.log1p(math.exp(p)))
    return rows


def test_pinball_loss_by_hand():
    p, y = normal(5, parameter_count(BANDS)), normal(5, 2, seed=1)
    for one, value, found in zip(p, y.tolist(), output_loss(BANDS, p, y).tolist(), strict=True):
        total = 0.0
        for row, at in zip(quantiles_by_hand(one), value, strict=True):
            for q, level in zip(row, BANDS.levels, strict=True):
                total += level * (at - q) if at > q else (1 - level) * (q - at)
        assert found == pytest.approx(total / len(BANDS.levels))


def test_quantiles_do_not_cross():
    found = quantiles(BANDS, 20 * normal(100, parameter_count(BANDS)))
    assert found.shape == (100, 2, 4)
    assert (found.diff(dim=-1) >= 0).all()


def test_descending_the_pinball_loss_finds_the_quantiles_of_a_sample():
    kind, sample = Quantiles(1, (0.1, 0.5, 0.8)), normal(4000, 1).exp()
    p = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([p], 0.05)
    for _ in range(400):
        optimiser.zero_grad()
        output_loss(kind, p.expand(4000, 3), sample).mean().backward()
        optimiser.step()
    expected = sample.quantile(torch.tensor(kind.levels).double())
    torch.testing.assert_close(quantiles(kind, p.detach())[0], expected, rtol=0, atol=0.05)


def test_divergence_of_quantiles_by_hand_and_its_gradient():
    p, q = normal(3, parameter_count(BANDS)), normal(3, parameter_count(BANDS), seed=1)
    q.requires_grad_()
    found = divergence(BANDS, p, q)
    for row, a, b in zip(found.tolist(), p, q.detach(), strict=True):
        gaps = torch.tensor(quantiles_by_hand(a)) - torch.tensor(quantiles_by_hand(b))
        assert row == pytest.approx(float(gaps.abs().sum()) / len(BANDS.levels), rel=1e-5)
    (slope,) = torch.autograd.grad(found.sum(), q)
    assert slope.any(-1).all()
    assert float(divergence(BANDS, p, q.detach() - 0.02 * slope).sum()) < found.sum().item()
    same = divergence(BANDS, p, (copy := p.clone().requires_grad_()))
    assert not same.any()
    assert not torch.autograd.grad(same.sum(), copy)[0].any()


def test_most_likely_by_hand():
    assert most_likely(Tokens(3), torch.tensor([0.0, 2.0, 1.0])).tolist() == 1
    assert most_likely(Vectors(2), torch.tensor([3.0, -1.0, 9.0, 9.0])).tolist() == [3.0, -1.0]
    assert most_likely(Flags(3), torch.tensor([-0.1, 0.0, 0.1])).tolist() == [0.0, 0.0, 1.0]
    p = normal(parameter_count(BANDS))
    nearest = [row[2] for row in quantiles_by_hand(p)]
    assert most_likely(BANDS, p).tolist() == pytest.approx(nearest)


def test_class_probabilities_are_of_classes_alone():
    p = normal(4, 3)
    shares = class_probabilities(Tokens(3), p)
    torch.testing.assert_close(shares, Categorical(logits=p).probs)
    torch.testing.assert_close(class_probabilities(Flags(3), p), 1 / (1 + (-p).exp()))
    with pytest.raises(UsageError, match=r"Outputs are Vectors\(width=3\).*no probabilities"):
        class_probabilities(Vectors(3), p)


@pytest.mark.parametrize("levels", [(), (0.5, 0.1), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (2.0,)])
def test_levels_that_are_no_levels_are_told(levels):
    with pytest.raises(UsageError, match="give levels between 0 and 1, from the lowest"):
        Readout(MemoryShape(3, 2), Quantiles(1, levels), 5)


@pytest.mark.parametrize("leading", LEADING)
@pytest.mark.parametrize("kind", [Tokens(4), Vectors(2)])
def test_readout_and_embedding_take_any_leading_axes(kind, leading):
    memory = MemoryShape(3, 2)
    readout = Readout(memory, kind, 5).double()
    assert readout(normal(*leading, 3, 2)).shape == (*leading, parameter_count(kind))
    tokens = isinstance(kind, Tokens)
    x = torch.zeros(leading, dtype=torch.long) if tokens else normal(*leading, kind.width)
    assert embedding(kind, 6).double()(x).shape == (*leading, 6)


def test_readout_sees_every_number_of_a_memory():
    readout, m = Readout(MemoryShape(3, 2), Tokens(4), 5).double(), normal(3, 2).requires_grad_()
    readout(m).square().sum().backward()
    assert m.grad is not None
    assert (m.grad != 0).all()
