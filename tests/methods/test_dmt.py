"""DMT: its two forms, and the limits in which they are SMT and each other."""

from copy import deepcopy

import pytest
import torch
from oracles import windows
from tiny import assert_same, batch, descend, gradients, pair, seeded, signature, still, student

from pastforward.losses import MIN_VARIANCE, transition_weights
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.methods.smt import FrozenSMT
from pastforward.outputs import divergence
from pastforward.teacher.encoders.base import Encoder

KINDS = ("tokens", "vectors")


def outcome(method, data, seed=0):
    losses = descend(method, data, seed)
    return losses.total.detach(), losses.terms, gradients(method.student)


def assert_agree(found, expected):
    torch.testing.assert_close(found[0], expected[0])
    for name, term in expected[1].items():
        if name in found[1]:
            torch.testing.assert_close(found[1][name], term)
    assert {"dynamics", "readout"} <= found[1].keys() & expected[1].keys()
    assert_same(found[2], expected[2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoder", ["registers", "window"])
@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 2.0)])
def test_windows_of_1_from_targets_are_smt_with_a_frozen_teacher(kind, encoder, length, weights):
    own, teacher, data = pair(kind, length, encoder=encoder)
    dynamics, readout = weights
    dmt = DMTConfig(window=1, on_policy_fraction=0.0, dynamics=dynamics, readout=readout)
    smt = SMTConfig(dynamics=dynamics, readout=readout)
    expected = outcome(FrozenSMT(own, teacher, smt), data)
    assert_agree(outcome(WindowDMT(own, teacher, dmt), data), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("distill", [0.0, 0.5])
def test_one_window_of_the_whole_length_is_the_unroll(kind, length, seed, distill):
    own, teacher, data = pair(kind, length)
    config = DMTConfig(window=length + 2 * (seed == 2), on_policy_fraction=1.0, distill=distill)
    expected = outcome(UnrollDMT(own, teacher, config), data)
    assert_agree(outcome(WindowDMT(own, teacher, config), data, seed), expected)


def step_away(net):
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(number)))


@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_windows_by_brute_force_with_no_gradient_across(kind, window, stale):
    """Also where the student has moved since its memories were collected."""
    own, teacher, data = pair(kind)
    method = WindowDMT(own, teacher, DMTConfig(window=window, dynamics=0.7))
    before = deepcopy(own)
    collected = method.collect(data) if stale else data
    step_away(own)
    expected = []
    for shift in range(-(window // 2), window - window // 2):
        own.zero_grad(set_to_none=True)
        loss = windows(method, data, shift, before if stale else None)
        loss.backward()
        expected.append((loss.detach(), gradients(own)))
    shifts = set()
    for seed in range(4 * window):
        total, _, found = outcome(method, collected, seed)
        nearest = min(range(window), key=lambda n, total=total: abs(total - expected[n][0]))
        torch.testing.assert_close(total, expected[nearest][0])
        assert_same(found, expected[nearest][1])
        shifts.add(nearest)
    assert len(shifts) > (window > 1)


def test_every_position_is_trained_in_half_of_the_steps_at_least():
    own, teacher, _ = pair()
    method, length = WindowDMT(own, teacher, DMTConfig(window=4)), 16
    used = torch.ones(1, length, dtype=torch.bool)
    drawn = [method._steps(used, seeded(seed))[0].flatten() for seed in range(400)]
    counts = torch.bincount(torch.cat(drawn), minlength=length) / len(drawn)
    assert float(counts.min()) > 0.4
    assert float(counts.max()) < 1.6


def test_starts_mix_own_memories_and_targets_by_the_on_policy_fraction():
    own, teacher, data = pair()
    targets = teacher.targets(data.x)
    reached = own.rollout(data.x)
    counts = []
    for seed in range(40):
        method = WindowDMT(own, teacher, DMTConfig(window=3, on_policy_fraction=0.25))
        starts = method._starts(method.collect(data), seeded(seed))
        from_own = (starts == reached).flatten(2).all(-1)
        from_target = (starts == targets).flatten(2).all(-1)
        assert (from_own | from_target).all()
        counts.append(from_own.double().mean())
    assert float(torch.stack(counts).mean()) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("build", [WindowDMT, UnrollDMT])
def test_only_the_student_moves_and_all_of_it(build):
    own, teacher, data = pair()
    method = build(own, teacher, DMTConfig(window=3, distill=0.5))
    descend(method, data)
    assert still(teacher)
    assert all(p.grad is None for p in teacher.parameters())
    assert all(g.any() for g in gradients(own))
    assert {id(p) for p in method.parameters()} == {id(p) for p in own.parameters()}


@pytest.mark.parametrize("build", [WindowDMT, UnrollDMT])
@pytest.mark.parametrize(
    ("term", "moved"),
    [
        ("dynamics", {"embed": True, "cell": True, "readout": False}),
        ("readout", {"embed": True, "cell": True, "readout": True}),
        ("distill", {"embed": True, "cell": True, "readout": True}),
    ],
)
def test_which_loss_moves_what(build, term, moved):
    own, teacher, data = pair()
    weights = {"dynamics": 0.0, "readout": 0.0, "distill": 0.0} | {term: 1.0}
    descend(build(own, teacher, DMTConfig(window=3, **weights)), data)
    assert {name: not still(getattr(own, name)) for name in moved} == moved


@pytest.mark.parametrize("build", [WindowDMT, UnrollDMT])
def test_outputs_that_do_not_count_move_nothing(build):
    own, teacher, data = pair()
    other = data._replace(y=torch.where(data.mask, data.y, (data.y + 1) % 4))
    method = build(own, teacher, DMTConfig(window=3, distill=0.5))
    expected, found = outcome(method, data), outcome(method, other)
    assert torch.equal(found[0], expected[0])
    assert_same(found[2], expected[2], tolerance=0)


@pytest.mark.parametrize("own", [0.0, 0.5, 1.0])
def test_the_same_generator_gives_the_same_step(own):
    net, teacher, data = pair()
    method = WindowDMT(net, teacher, DMTConfig(window=3, on_policy_fraction=own))
    first, again = outcome(method, data, 5), outcome(method, data, 5)
    assert torch.equal(first[0], again[0])
    assert_same(first[2], again[2], tolerance=0)
    assert len({float(outcome(method, data, seed)[0]) for seed in range(8)}) > 1


class Own(Encoder):
    """Targets that are the memories of a student."""

    def __init__(self, net) -> None:
        super().__init__()
        self.net = [net]

    def targets(self, x):
        return self.net[0].rollout(x).detach()


@pytest.mark.parametrize("build", [WindowDMT, UnrollDMT])
def test_nothing_to_learn_from_ones_own_memories(build):
    net, teacher, data = pair()
    teacher.encoder = Own(net)
    method = build(net, teacher, DMTConfig(window=3, readout=0.0))
    assert float(descend(method, data).terms["dynamics"]) < 1e-24
    assert all(g.abs().max() < 1e-12 for g in gradients(net))
    teacher.encoder = Own(student(signature(), cell="elman"))
    assert float(descend(method, data).terms["dynamics"]) > 0.1


def test_dynamics_of_the_unroll_by_hand():
    net, teacher, data = pair()
    terms = descend(UnrollDMT(net, teacher, DMTConfig()), data).terms
    targets = teacher.targets(data.x)
    reached = net.rollout(data.x)
    error = (reached - targets).square().mean((-2, -1))
    weight = torch.cat([torch.ones(3, 1), transition_weights(targets[:, :-1], targets[:, 1:])], 1)
    spread = (targets - targets.mean(0)).square().mean()
    expected = (weight * error).mean() / (spread + MIN_VARIANCE)
    torch.testing.assert_close(terms["dynamics"], expected.detach())


@pytest.mark.parametrize("kind", KINDS)
def test_distillation_asks_for_the_teacher_s_prediction(kind):
    net, teacher, data = pair(kind)
    terms = descend(UnrollDMT(net, teacher, DMTConfig(distill=0.5)), data).terms
    outputs = net.signature.outputs
    reached = net.rollout(data.x)
    wanted, found = teacher.predict(data.x), net.readout(reached[:, 1:])
    expected = divergence(outputs, wanted, found)[data.mask].mean()
    assert (expected - divergence(outputs, found, wanted)[data.mask].mean()).abs() > 1e-4
    torch.testing.assert_close(terms["distill"], expected.detach())


@pytest.mark.parametrize(
    ("config", "calls"),
    [
        (DMTConfig(window=8, replay_steps=1), 72),
        (DMTConfig(window=8, replay_steps=4), 24),
        (DMTConfig(window=8, replay_steps=9), 16),
        (DMTConfig(window=8, on_policy_fraction=0.0), 8),
        (DMTConfig(window=99), 64),
    ],
)
def test_serial_calls_count_the_rollout_that_finds_the_starts(config, calls):
    net, teacher, _ = pair()
    assert WindowDMT(net, teacher, config).serial_calls(64) == calls
    assert UnrollDMT(net, teacher, config).serial_calls(64) == 64


def test_the_cell_is_called_as_often_as_stated():
    net, teacher, data = pair()
    calls = []
    for build in (WindowDMT, UnrollDMT):
        method, seen = build(net, teacher, DMTConfig(window=3, replay_steps=7)), []
        method.compile(lambda step, seen=seen: lambda m, e: (seen.append(1), step(m, e))[1])
        collected = method.collect(batch(signature()))
        for seed in range(method.replay_steps):
            descend(method, collected, seed)
        calls.append(len(seen))
        assert len(seen) == 7 * method.serial_calls(7)
    assert calls == [7 + 7 * 3, 7 * 7]
    assert data.mask.any()
