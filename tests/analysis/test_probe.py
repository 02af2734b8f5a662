"""A linear probe finds a planted state, and nothing in noise."""

import pytest
import torch

from pastforward.analysis.probe import Sample, linear_probe

COUNT, LENGTH, SIZE, STATES = 64, 6, 12, 4


def sample(seed: int, strength: float) -> Sample:
    """Noise with a state planted along one direction each, `strength` times as large."""
    random = torch.Generator().manual_seed(seed)
    states = torch.randint(STATES, (COUNT, LENGTH), generator=random)
    axes = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(9)))[0]
    noise = torch.randn(COUNT, LENGTH, SIZE, generator=random)
    counted = torch.rand(COUNT, LENGTH, generator=random) < 0.8
    counted[:, 2] = False
    return Sample(noise + strength * axes[states], states, counted)


def test_a_planted_state_is_found():
    probe = linear_probe(sample(0, 30.0), sample(1, 30.0))
    assert probe.accuracy == 1.0
    assert probe.by_time == [1.0, 1.0, None, 1.0, 1.0, 1.0]
    assert probe.classes == STATES


def test_noise_is_read_at_chance():
    probe = linear_probe(sample(0, 0.0), sample(1, 0.0))
    assert 0.15 < probe.accuracy < 0.35
    assert 0.15 < probe.majority < 0.35


def test_only_what_counts_is_fitted_and_tested():
    fit, test = sample(0, 30.0), sample(1, 30.0)
    lies = [
        part._replace(targets=torch.where(part.counted, part.targets, STATES - 1 - part.targets))
        for part in (fit, test)
    ]
    assert linear_probe(*lies) == linear_probe(fit, test)


def test_most_frequent_by_brute_force():
    fit, test = sample(0, 0.0), sample(1, 0.0)
    probe = linear_probe(fit, test)

    def most(targets: list[int]) -> int:
        return max(range(STATES), key=targets.count)

    wanted, everywhere = test.targets[test.counted].tolist(), fit.targets[fit.counted].tolist()
    assert probe.majority == pytest.approx(wanted.count(most(everywhere)) / len(wanted))
    for t in (0, 1, 3, 4, 5):
        here = most(fit.targets[:, t][fit.counted[:, t]].tolist())
        wanted = test.targets[:, t][test.counted[:, t]].tolist()
        assert probe.majority_by_time[t] == pytest.approx(wanted.count(here) / len(wanted))


def test_what_t_alone_decides_is_the_majority_at_t():
    times = torch.arange(LENGTH).expand(COUNT, -1)
    fit, test = (sample(n, 30.0)._replace(targets=times) for n in (0, 1))
    probe = linear_probe(fit, test)
    assert probe.majority < 0.3
    assert probe.majority_by_time == [1.0, 1.0, None, 1.0, 1.0, 1.0]


def test_one_class_is_always_predicted():
    fit, test = sample(0, 1.0), sample(1, 1.0)
    fit = fit._replace(targets=torch.full_like(fit.targets, 2))
    probe = linear_probe(fit, test)
    assert probe.accuracy == probe.majority
    assert probe.classes == 1
