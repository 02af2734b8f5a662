import math

import pytest
import torch
from tiny import seeded
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from pastforward.inputs import embedding
from pastforward.outputs import Readout, kl, most_likely, nll, parameter_count, sample
from pastforward.types import MemoryShape, Tokens, Vectors

LEADING = [(), (1,), (3,), (2, 3)]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def reference(kind, parameters):
    if isinstance(kind, Tokens):
        return Categorical(logits=parameters)
    mean, log_std = parameters[..., : kind.width], parameters[..., kind.width :]
    return Independent(Normal(mean, log_std.exp()), 1)


@pytest.mark.parametrize("leading", LEADING[1:])
@pytest.mark.parametrize("kind", [Tokens(4), Tokens(1), Vectors(2), Vectors(1)])
def test_nll_and_kl_are_those_of_torch(kind, leading):
    p, q = normal(*leading, parameter_count(kind)), normal(*leading, parameter_count(kind), seed=1)
    y = reference(kind, p).sample()
    torch.testing.assert_close(nll(kind, p, y), -reference(kind, p).log_prob(y))
    expected = kl_divergence(reference(kind, p), reference(kind, q))
    torch.testing.assert_close(kl(kind, p, q), expected)
    torch.testing.assert_close(kl(kind, p, p), torch.zeros(leading).double())


def test_kl_is_what_nll_loses_by_sampling():
    kind, p, q = Tokens(3), normal(3), normal(3, seed=1)
    log_p, log_q = p.log_softmax(-1).tolist(), q.log_softmax(-1).tolist()
    by_hand = sum(math.exp(a) * (a - b) for a, b in zip(log_p, log_q, strict=True))
    assert float(kl(kind, p, q)) == pytest.approx(by_hand)
    assert by_hand > 0.1


def test_a_lucky_channel_has_a_bounded_likelihood():
    kind, y = Vectors(1), torch.zeros(1, 1).double()
    sure = nll(kind, torch.tensor([[0.0, -50.0]]).double(), y)
    assert float(sure) == pytest.approx(-5.0 + 0.5 * math.log(2 * math.pi))


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


@pytest.mark.parametrize("leading", [(1,), (2, 3)])
def test_temperature_0_is_the_mode(leading):
    logits = normal(*leading, 4)
    assert torch.equal(sample(Tokens(4), logits, seeded(), 0.0), logits.argmax(-1))
    assert torch.equal(most_likely(Vectors(2), logits), logits[..., :2])


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_samples_follow_the_distribution(temperature):
    logits = torch.tensor([0.0, 1.0, 2.0])
    drawn = sample(Tokens(3), logits.expand(20000, 3), seeded(), temperature)
    found = drawn.bincount(minlength=3) / 20000
    torch.testing.assert_close(found, (logits / temperature).softmax(0), rtol=0, atol=0.015)
    parameters = torch.tensor([1.0, -2.0, 0.5, -0.5]).expand(20000, 4)
    vectors = sample(Vectors(2), parameters, seeded(), temperature)
    torch.testing.assert_close(vectors.mean(0), parameters[0, :2], rtol=0, atol=0.05)
    deviation = temperature * parameters[0, 2:].exp()
    torch.testing.assert_close(vectors.std(0), deviation, rtol=0.03, atol=0)


def test_samples_repeat_given_the_generator():
    logits = normal(50, 4)
    first, again, other = (sample(Tokens(4), logits, seeded(s)) for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
