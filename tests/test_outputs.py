import math

import pytest
import torch
from tiny import seeded
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from pastforward.blocks import embedding
from pastforward.outputs import Readout, kl, nll, parameter_count
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


def test_kl_is_the_expected_log_ratio():
    kind, p, q = Tokens(3), normal(3), normal(3, seed=1)
    log_p, log_q = p.log_softmax(-1).tolist(), q.log_softmax(-1).tolist()
    by_hand = sum(math.exp(a) * (a - b) for a, b in zip(log_p, log_q, strict=True))
    assert float(kl(kind, p, q)) == pytest.approx(by_hand)
    assert by_hand > 0.1


def test_the_likelihood_of_an_exact_prediction_is_bounded():
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
