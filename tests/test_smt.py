"""Who is moved by which loss, and what may not matter, in training by labels."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import torch
from tiny import (
    ENCODERS,
    assert_same,
    batch,
    descend,
    gradients,
    pair,
    seeded,
    signature,
    still,
    student,
)

from pastforward.config import SMTConfig
from pastforward.losses import FLOOR, covariance, gaussian, uniformity
from pastforward.memory import take
from pastforward.methods.sampling import SampledAnchors
from pastforward.methods.smt import FrozenSMT, JointSMT, TeacherTraining
from pastforward.outputs import kl, nll
from pastforward.rollout import rollout
from pastforward.teacher.encoders.base import Encoder

KINDS = ("tokens", "vectors")
TERMS = (
    "decoding", "prediction", "uniformity", "covariance", "gaussian", "dynamics", "readout",
    "consistency",
)  # fmt: skip
METHODS = {
    "teacher": lambda own, guide, config: TeacherTraining(guide, config),
    "joint": JointSMT,
    "frozen": FrozenSMT,
}
PARTS = ("teacher", "oracle", "student")
ALL = SMTConfig(future=4, consistency=0.5, uniformity=0.1, covariance=0.1, gaussian=0.1)


def outcome(method, data, seed=0):
    losses = descend(method, data, seed)
    owned = [gradients(getattr(method, name)) for name in PARTS if hasattr(method, name)]
    return losses.total.detach(), losses.terms, list(chain(*owned))


def parts(own, guide):
    """Everything that could be moved, under the letters of the method's table."""
    decoder = guide.decoder
    transformer = [p for name, p in decoder.named_parameters() if not name.startswith("readout")]
    return {
        "E": list(guide.encoder.parameters()),
        "D": transformer,
        "D's readout": list(decoder.readout.parameters()),
        "f": [*own.embed.parameters(), *own.cell.parameters()],
        "m_0": [own.empty],
        "g": list(own.readout.parameters()),
    }


def only(term: str, **changes) -> SMTConfig:
    return SMTConfig(**dict.fromkeys(TERMS, 0.0) | {term: 1.0, "future": 4} | changes)


CONTRACT = {
    ("teacher", "decoding"): {"E", "D", "D's readout"},
    ("teacher", "prediction"): {"E", "D's readout"},
    ("teacher", "uniformity"): {"E"},
    ("teacher", "covariance"): {"E"},
    ("teacher", "gaussian"): {"E"},
    ("teacher", "dynamics"): set(),
    ("teacher", "readout"): set(),
    ("teacher", "consistency"): set(),
    ("joint", "decoding"): {"E", "D", "D's readout"},
    ("joint", "prediction"): {"E", "D's readout"},
    ("joint", "uniformity"): {"E"},
    ("joint", "covariance"): {"E"},
    ("joint", "gaussian"): {"E"},
    ("joint", "dynamics"): {"f", "m_0", "E"},
    ("joint", "readout"): {"g", "f", "E"},
    ("joint", "consistency"): {"f", "E"},
    ("frozen", "decoding"): set(),
    ("frozen", "prediction"): set(),
    ("frozen", "uniformity"): set(),
    ("frozen", "covariance"): set(),
    ("frozen", "gaussian"): set(),
    ("frozen", "dynamics"): {"f", "m_0"},
    ("frozen", "readout"): {"g", "f"},
    ("frozen", "consistency"): {"f"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("method", "term"), CONTRACT)
def test_which_loss_moves_what(method, term, kind):
    own, guide, data = pair(kind)
    built = METHODS[method](own, guide, only(term))
    expected = CONTRACT[method, term]
    if method != "joint" and not expected:
        found = built.losses(data, seeded()).total
        assert float(found.detach()) == 0.0
    else:
        descend(built, data)
    for name, part in parts(own, guide).items():
        if name in expected:
            assert all(g.any() for g in gradients(part)), f"{term} should move all of {name}"
        else:
            assert still(part), f"{term} moves {name}"


@pytest.mark.parametrize("term", ["dynamics", "readout", "consistency"])
def test_without_pull_the_student_s_losses_leave_the_encoder_alone(term):
    own, guide, data = pair()
    descend(JointSMT(own, guide, only(term, encoder_gradient_scale=0.0)), data)
    assert still(guide.encoder)
    assert not still(own.cell)


def test_trained_parameters_are_those_that_get_gradients():
    own, guide, data = pair()
    for name, build in METHODS.items():
        method = build(own, guide, ALL)
        own.zero_grad(set_to_none=True)
        descend(method, data)
        trained = {id(p) for p in method.parameters()}
        moved = [p for p in chain(guide.parameters(), own.parameters()) if not still([p])]
        assert {id(p) for p in moved} == trained, name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("transitions", [None, 4])
def test_joint_without_pull_is_teacher_training_for_the_teacher(kind, noise, transitions):
    own, guide, data = pair(kind)
    config = SMTConfig(
        future=4,
        consistency=0.5,
        encoder_gradient_scale=0.0,
        noise=noise,
        transitions=transitions,
        uniformity=0.1,
    )
    descend(TeacherTraining(guide, config), data)
    expected = gradients(guide)
    descend(JointSMT(own, guide, config), data)
    assert_same(gradients(guide), expected, tolerance=0)


def test_joint_without_pull_is_frozen_training_for_the_student():
    own, guide, data = pair()
    config = SMTConfig(future=4, consistency=0.5, encoder_gradient_scale=0.0, noise=0.3)
    descend(FrozenSMT(own, guide, config), data)
    expected = gradients(own)
    for encoder_gradient_scale in (0.0, 0.5, 1.0):
        descend(
            JointSMT(own, guide, SMTConfig(**vars(config) | {"pull": encoder_gradient_scale})), data
        )
        assert_same(gradients(own), expected, tolerance=1e-12)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_pull_scales_what_reaches_the_encoder(encoder):
    own, guide, data = pair(encoder=encoder)
    found = {}
    for encoder_gradient_scale in (0.0, 0.25, 1.0, 2.0):
        config = SMTConfig(future=4, consistency=0.5, encoder_gradient_scale=encoder_gradient_scale)
        descend(JointSMT(own, guide, config), data)
        found[encoder_gradient_scale] = gradients(guide.encoder), gradients(guide.decoder)
    for encoder_gradient_scale in (0.25, 2.0):
        line = [
            a + encoder_gradient_scale * (b - a)
            for a, b in zip(found[0.0][0], found[1.0][0], strict=True)
        ]
        assert_same(found[encoder_gradient_scale][0], line, tolerance=1e-12)
        assert_same(found[encoder_gradient_scale][1], found[0.0][1], tolerance=1e-12)
    assert any(
        (a - b).abs().max() > 1e-6 for a, b in zip(found[0.0][0], found[1.0][0], strict=True)
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transitions", [None, 5])
def test_outputs_that_do_not_count_move_nothing(name, kind, transitions):
    own, guide, data = pair(kind)
    method = METHODS[name](own, guide, SMTConfig(**vars(ALL) | {"transitions": transitions}))
    wrong = (data.y + 1) % 4 if kind == "tokens" else data.y + 100.0
    keep = data.mask if kind == "tokens" else data.mask.unsqueeze(-1)
    other = data._replace(y=torch.where(keep, data.y, wrong))
    assert not torch.equal(other.y, data.y)
    expected, found = outcome(method, data), outcome(method, other)
    assert torch.equal(found[0], expected[0])
    assert_same(found[2], expected[2], tolerance=0)
    every = data._replace(y=wrong)
    assert not torch.equal(outcome(method, every)[0], expected[0])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("transitions", [None, 1, 50])
def test_finite_at_awkward_sizes(name, length, count, transitions):
    own, guide, _ = pair(length=length, slots=1 if length == 2 else 3)
    config = SMTConfig(future=3, anchors=9, consistency=0.5, noise=0.1, transitions=transitions)
    losses = descend(METHODS[name](own, guide, config), batch(signature(length=length), count))
    assert losses.total.isfinite()
    assert all(term.isfinite() for term in losses.terms.values())
    assert all(g.isfinite().all() for g in chain(gradients(own), gradients(guide)))


class Own(Encoder):
    """Labels that are the memories of a student."""

    def __init__(self, net) -> None:
        super().__init__()
        self.net = [net]

    def targets(self, x):
        net = self.net[0]
        return rollout(net.cell, net.start(len(x)), net.embed(x)).detach()

    def at(self, x, times):
        return take(self.targets(x), times)

    def empty(self, x):
        return self.targets(x[:1])[:, :1]


@pytest.mark.parametrize("build", [JointSMT, FrozenSMT])
@pytest.mark.parametrize("cell", ["gru", "lstm", "transformer"])
@pytest.mark.parametrize("transitions", [None, 3])
def test_nothing_to_learn_from_ones_own_memories(build, cell, transitions):
    own, guide, data = pair(cell=cell)
    guide.encoder = Own(own)
    method = build(own, guide, only("dynamics", transitions=transitions, consistency=1.0))
    losses = descend(method, data)
    assert float(losses.terms["dynamics"]) < 1e-24
    assert float(losses.terms["consistency"]) < 1e-14
    assert all(g.abs().max() < 1e-12 for g in gradients(own))
    with torch.no_grad():
        own.empty.add_(torch.linspace(0, 1, own.empty.numel()).view_as(own.empty))
    guide.encoder = Own(student(signature(), cell="elman"))
    assert float(descend(method, data).terms["dynamics"].detach()) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noisy", [True, False])
def test_every_term_by_hand(kind, noisy):
    own, guide, data = pair(kind)
    anchors = torch.tensor([[0, 6], [3, 3], [5, 1]])
    config = SMTConfig(future=4, consistency=0.5, covariance=1.0)
    noise = 0.3 * torch.randn((2, 3, 7, 2, 4), generator=seeded(5), dtype=torch.float64)
    directions = torch.randn(5, 8, generator=seeded(6), dtype=torch.float64)
    sampled = SampledAnchors(None, anchors, noise if noisy else None, directions)
    with torch.no_grad():
        found = JointSMT(own, guide, config).compute(data, sampled)[1]
        expected = by_hand(own, guide, data, anchors, noisy * noise)
        expected |= spreads_by_hand(guide.targets(data.x), anchors, directions)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(found[name], torch.stack(values).mean(), msg=name)


def by_hand(own, guide, data, anchors, noise, future=4):
    """All values whose mean is a term, by loops over sequences and steps.

    Noise is on what cell and decoder read, and not on what is to be reached.
    """
    targets, outputs = guide.targets(data.x), own.signature.outputs
    terms = {name: [] for name in ("prediction", "decoding", "dynamics", "readout")}
    terms["consistency"] = []
    moves = [(targets[:, t] - targets[:, t + 1]).square().mean((1, 2)) for t in range(7)]
    spread = (targets - targets.mean(0)).square().mean() + FLOOR
    for b in range(3):
        empty = (own.start() - targets[b, 0]).square().mean()
        terms["dynamics"].append(empty / spread)
        for t in range(7):
            stepped = own.step(targets[b, t] + noise[0, b, t], data.x[b, t])
            weight = 0.5 + 0.5 * moves[t][b] / (torch.stack(moves).mean() + 1e-6)
            error = (stepped - targets[b, t + 1]).square().mean()
            terms["dynamics"].append(weight * error / spread)
            if data.mask[b, t]:
                y, m = data.y[b, t : t + 1], targets[b, t + 1] + noise[1, b, t]
                read = guide.decoder.readout(m)[None]
                terms["prediction"].append(nll(outputs, read, y).squeeze())
                terms["readout"].append(nll(outputs, own.readout(stepped)[None], y).squeeze())
        for anchor in anchors[b].tolist():  # the memory after x_t, t = anchor + 1
            x = data.x[b, anchor + 1 : anchor + future][None, None]
            target = targets[b, anchor + 1][None, None]
            reached = own.step(targets[b, anchor] + noise[0, b, anchor], data.x[b, anchor])
            decoded = guide.decoder(target + noise[1, b, anchor], x)[0, 0]
            wanted, own_decoded = (guide.decoder(m, x)[0, 0] for m in (target, reached[None, None]))
            for j in range(len(decoded)):
                if data.mask[b, anchor + j]:
                    y = data.y[b, anchor + j][None]
                    terms["decoding"].append(nll(outputs, decoded[j : j + 1], y).squeeze())
                    terms["consistency"].append(kl(outputs, wanted[j], own_decoded[j]))
    return terms


def spreads_by_hand(targets, anchors, directions):
    """What keeps labels apart, at each of the steps that are looked at."""
    steps = [targets[:, t + 1][None] for t in anchors[0].tolist()]
    return {
        "uniformity": [uniformity(m) for m in steps],
        "covariance": [covariance(m) for m in steps],
        "gaussian": [gaussian(m, directions) for m in steps],
    }


@pytest.mark.parametrize("build", [TeacherTraining, JointSMT, FrozenSMT])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("length", [1, 7])
def test_all_times_drawn_are_all_times(build, encoder, length):
    own, guide, data = pair(length=length, encoder=encoder)
    method = build(guide, ALL) if build is TeacherTraining else build(own, guide, ALL)
    anchors = torch.randint(length, (3, 2), generator=seeded(4))
    sides = []
    for times in (None, torch.arange(1, length + 1).expand(3, -1)):
        for part in (own, guide):
            part.zero_grad(set_to_none=True)
        total, terms = method.compute(data, SampledAnchors(times, anchors, None))
        total.backward()
        sides.append([total, *terms.values(), *gradients(own), *gradients(guide)])
    assert_same(*[[value.detach() for value in side] for side in sides])


def draws(method, data):
    """The random choices of many steps."""
    seen = []
    method.compile(lambda compute: lambda batch, d: (seen.append(d), compute(batch, d))[1])
    for seed in range(60):
        method.losses(data, seeded(seed))
    return seen


@pytest.mark.parametrize("transitions", [None, 2])
def test_drawn_times_and_anchors_lie_in_range_and_all_come_up(transitions):
    own, guide, data = pair()
    seen = draws(JointSMT(own, guide, SMTConfig(transitions=transitions)), data)
    if transitions is None:
        assert all(sampled.times is None for sampled in seen)
    else:
        assert all((d.times == d.times[0]).all() and d.times.shape == (3, 2) for d in seen)
        assert {t for d in seen for t in d.times[0].tolist()} == set(range(1, 8))
    anchors = torch.stack([sampled.anchors for sampled in seen])
    assert anchors.shape == (60, 3, 2)
    for row in range(3):
        assert set(anchors[:, row].flatten().tolist()) == set(range(transitions or 7))


@pytest.mark.parametrize("transitions", [None, 7])
@pytest.mark.parametrize("future", [1, 3, None])
def test_anchors_have_outputs_in_their_future(future, transitions):
    """Of seven steps the fourth counts, in the third sequence none: there any anchor will do."""
    own, guide, data = pair()
    mask = torch.zeros_like(data.mask)
    mask[:2, 3] = True
    config = SMTConfig(future=future, transitions=transitions)
    seen = draws(JointSMT(own, guide, config), data._replace(mask=mask))
    for row, reached in ((0, set(range(4)[-(future or 7) :])), (2, set(range(7)))):
        found = set()
        for d in seen:
            chosen = d.anchors[row] if d.times is None else d.times[row][d.anchors[row]] - 1
            offered = set(range(7)) if d.times is None else set((d.times[row] - 1).tolist())
            if offered & reached:
                assert set(chosen.tolist()) <= reached
            found |= set(chosen.tolist())
        assert found >= reached


def test_directions_are_drawn_anew_and_change_no_other_draw():
    own, guide, data = pair()
    plain = draws(JointSMT(own, guide, SMTConfig(noise=0.3)), data)
    assert all(sampled.directions is None for sampled in plain)
    seen = draws(JointSMT(own, guide, SMTConfig(noise=0.3, gaussian=0.1)), data)
    assert len({float(sampled.directions[0, 0]) for sampled in seen}) == 60
    for one, other in zip(plain, seen, strict=True):
        assert torch.equal(one.anchors, other.anchors)
        assert torch.equal(one.noise, other.noise)


def test_noise_has_the_deviation_asked_for_and_is_drawn_anew():
    own, guide, data = pair()
    seen = draws(JointSMT(own, guide, SMTConfig(noise=0.3)), data)
    noise = torch.stack([sampled.noise for sampled in seen])
    assert noise.shape == (60, 2, 3, 7, 2, 4)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(noise.std()) == pytest.approx(0.3, abs=0.01)
    assert not torch.equal(noise[:, 0], noise[:, 1])
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("transitions", [None, 4])
def test_the_same_generator_gives_the_same_step(name, transitions):
    own, guide, data = pair()
    config = SMTConfig(**vars(ALL) | {"transitions": transitions, "noise": 0.3})
    method = METHODS[name](own, guide, config)
    first, resume_command = outcome(method, data, 5), outcome(method, data, 5)
    assert torch.equal(first[0], resume_command[0])
    assert_same(first[2], resume_command[2], tolerance=0)
    assert not torch.equal(outcome(method, data, 6)[0], first[0])


@pytest.mark.parametrize("term", TERMS)
def test_the_total_is_the_weighted_sum(term):
    own, guide, data = pair()
    one, two = (
        descend(JointSMT(own, guide, SMTConfig(**vars(ALL) | {term: weight})), data)
        for weight in (1.0, 3.0)
    )
    expected = one.total.detach() + 2.0 * one.terms[term]
    torch.testing.assert_close(two.total.detach(), expected)


def test_the_cell_is_called_once():
    own, guide, data = pair()
    calls = []
    own.cell.register_forward_hook(lambda *_: calls.append(1))
    for build, expected in ((JointSMT, 1), (FrozenSMT, 1)):
        calls.clear()
        method = build(own, guide, ALL)
        method.losses(data, seeded())
        assert len(calls) == method.serial_calls(7) == expected
    calls.clear()
    TeacherTraining(guide, ALL).losses(data, seeded())
    assert not calls


def test_a_step_compiles_to_one_graph_that_is_the_eager_step():
    script = Path(__file__).parent / "compiled.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
