"""Sampling is a pure function of parameters and noise, checked by brute force and by counting."""

import math

import pytest
import torch

from pastforward.errors import UsageError
from pastforward.inference.sampling import PLAIN, Sampling, draw, noise
from pastforward.outputs import most_likely
from pastforward.types import Flags, Tokens, Vectors


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(kind, parameters, sampling=PLAIN, seed=0):
    u = noise(kind, parameters.shape[:-1], seeded(seed), parameters)
    return draw(kind, parameters, u, parameters.new_tensor(sampling.temperature), sampling)


def by_hand(logits: list[float], u: float, sampling: Sampling) -> int:
    """One token, chosen by a loop over tokens."""
    scaled = [v / sampling.temperature for v in logits]
    order = sorted(range(len(scaled)), key=lambda i: (-scaled[i], i))
    order = order[: sampling.top_k]
    weights = {i: math.exp(scaled[i] - max(scaled)) for i in order}
    total, mass, kept = sum(weights.values()), 0.0, []
    for i in order:
        if mass < (sampling.top_p or 1.0):
            kept.append(i)
        mass += weights[i] / total
    total, below = sum(weights[i] for i in kept), 0.0
    for i in sorted(kept):
        below += weights[i]
        if below > u * (1 - 1e-6) * total:
            return i
    raise AssertionError("no token holds this number")


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, 1, 3, 9])
@pytest.mark.parametrize("top_p", [None, 0.05, 0.6, 1.0])
def test_tokens_by_brute_force(temperature, top_k, top_p):
    logits = torch.randn(50, 6, generator=seeded(1), dtype=torch.float64)
    sampling = Sampling(temperature, top_k, top_p)
    u = noise(Tokens(6), (50,), seeded(), logits)
    found = draw(Tokens(6), logits, u, logits.new_tensor(temperature), sampling)
    rows = zip(logits.tolist(), u.tolist(), strict=True)
    assert found.tolist() == [by_hand(row, number, sampling) for row, number in rows]


@pytest.mark.parametrize("u", [0.0, 1.0 - 2.0**-24])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(top_k=2), Sampling(top_p=0.7)])
def test_the_ends_of_the_unit_interval_draw_tokens_that_are_kept(u, sampling):
    logits = torch.tensor([[-60.0, 1.0, 0.9, -60.0], [-60.0, 90.0, 89.0, -60.0]])
    y = draw(Tokens(4), logits, torch.full((2,), u), torch.tensor(1.0), sampling)
    assert set(y.tolist()) <= ({0, 1, 2, 3} if sampling == PLAIN else {1, 2})


@pytest.mark.parametrize("leading", [(1,), (2, 3)])
def test_temperature_0_is_the_mode(leading):
    logits = torch.randn(*leading, 4, generator=seeded())
    cold = Sampling(temperature=0.0)
    assert torch.equal(drawn(Tokens(4), logits, cold), logits.argmax(-1))
    ties = torch.zeros(100, 3)
    assert not drawn(Tokens(3), ties, cold).any()
    assert torch.equal(drawn(Vectors(2), logits, cold), most_likely(Vectors(2), logits))


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_samples_follow_the_distribution(temperature):
    sampling, logits = Sampling(temperature), torch.tensor([0.0, 1.0, 2.0])
    found = drawn(Tokens(3), logits.expand(20000, 3), sampling).bincount(minlength=3) / 20000
    torch.testing.assert_close(found, (logits / temperature).softmax(0), rtol=0, atol=0.015)
    parameters = torch.tensor([1.0, -2.0, 0.5, -0.5]).expand(20000, 4)
    vectors = drawn(Vectors(2), parameters, sampling)
    torch.testing.assert_close(vectors.mean(0), parameters[0, :2], rtol=0, atol=0.05)
    deviation = temperature * parameters[0, 2:].exp()
    torch.testing.assert_close(vectors.std(0), deviation, rtol=0.03, atol=0)


def test_samples_repeat_given_the_seed():
    logits = torch.randn(50, 4, generator=seeded())
    first, again, other = (drawn(Tokens(4), logits, seed=s) for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    "bad",
    [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": 0}, {"top_p": 0.0},
     {"top_p": 1.5}, {"top_p": float("nan")}],
)  # fmt: skip
def test_bad_numbers_are_told(bad):
    with pytest.raises(UsageError, match="give a temperature of 0 or more"):
        Sampling(**bad)


def test_labels_are_not_drawn():
    with pytest.raises(UsageError, match="can't be drawn and fed back"):
        noise(Flags(2), (3,), seeded(), torch.zeros(()))
