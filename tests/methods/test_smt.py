"""Which loss has gradients for what, and what may not matter, in SMT."""

import subprocess
import sys
from dataclasses import replace
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

from pastforward.losses import MIN_VARIANCE, uniformity
from pastforward.methods import SMTConfig, smt
from pastforward.methods.smt import FrozenSMT, JointSMT, TeacherTraining
from pastforward.methods.transitions import SampledAnchors, read_alone, sample_anchors
from pastforward.outputs import divergence, output_loss
from pastforward.teacher.encoders.base import Encoder

KINDS = ("tokens", "vectors")
TERMS = ("decoding", "prediction", "uniformity", "dynamics", "readout", "consistency")
METHODS = {
    "teacher": lambda own, teacher, config: TeacherTraining(teacher, config),
    "joint": JointSMT,
    "frozen": FrozenSMT,
}
PARTS = ("teacher", "target_source", "student")
ALL = SMTConfig(future=4, consistency=0.5, uniformity=0.1)


def outcome(method, data, seed=0):
    losses = descend(method, data, seed)
    owned = [gradients(getattr(method, name)) for name in PARTS if hasattr(method, name)]
    return losses.total.detach(), losses.terms, list(chain(*owned))


def parts(own, teacher):
    """All that could have gradients, by the letters of the table in `methods/smt.py`."""
    decoder = teacher.decoder
    transformer = [p for name, p in decoder.named_parameters() if not name.startswith("readout")]
    return {
        "E": list(teacher.encoder.parameters()),
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
    ("teacher", "dynamics"): set(),
    ("teacher", "readout"): set(),
    ("teacher", "consistency"): set(),
    ("joint", "decoding"): {"E", "D", "D's readout"},
    ("joint", "prediction"): {"E", "D's readout"},
    ("joint", "uniformity"): {"E"},
    ("joint", "dynamics"): {"f", "m_0", "E"},
    ("joint", "readout"): {"g", "f", "E"},
    ("joint", "consistency"): {"f", "E"},
    ("frozen", "decoding"): set(),
    ("frozen", "prediction"): set(),
    ("frozen", "uniformity"): set(),
    ("frozen", "dynamics"): {"f", "m_0"},
    ("frozen", "readout"): {"g", "f"},
    ("frozen", "consistency"): {"f"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("method", "term"), CONTRACT)
def test_which_loss_moves_what(method, term, kind):
    own, teacher, data = pair(kind)
    built = METHODS[method](own, teacher, only(term))
    expected = CONTRACT[method, term]
    if method != "joint" and not expected:
        found = built.losses(data, seeded()).total
        assert float(found.detach()) == 0.0
    else:
        descend(built, data)
    for name, part in parts(own, teacher).items():
        if name in expected:
            assert all(g.any() for g in gradients(part)), f"{term} should move all of {name}"
        else:
            assert still(part), f"{term} moves {name}"


@pytest.mark.parametrize("term", ["dynamics", "readout", "consistency"])
def test_at_scale_0_the_student_s_losses_leave_the_encoder_alone(term):
    own, teacher, data = pair()
    descend(JointSMT(own, teacher, only(term, encoder_gradient_scale=0.0)), data)
    assert still(teacher.encoder)
    assert not still(own.cell)


def test_trained_parameters_are_those_that_get_gradients():
    own, teacher, data = pair()
    for name, build in METHODS.items():
        method = build(own, teacher, ALL)
        own.zero_grad(set_to_none=True)
        descend(method, data)
        trained = {id(p) for p in method.parameters()}
        moved = [p for p in chain(teacher.parameters(), own.parameters()) if not still([p])]
        assert {id(p) for p in moved} == trained, name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transitions", [None, 4])
def test_an_early_readout_learns_from_target_memories_and_moves_nothing_else(kind, transitions):
    own, teacher, data = pair(kind)
    config = replace(ALL, early_readout=2.0, transitions=transitions)
    sampled = sample_anchors(config, data, own.memory, seeded())
    sides = []
    for readout in (None, own.readout):
        teacher.zero_grad(set_to_none=True)
        method = TeacherTraining(teacher, config, readout)
        total, terms = method.compute(data, sampled)
        total.backward()
        sides.append(gradients(teacher))
    assert_same(*sides, tolerance=0)
    assert still([*own.embed.parameters(), *own.cell.parameters(), own.empty])
    steps = torch.arange(7).expand(3, -1) if transitions is None else sampled.times - 1
    m, y, mask = (
        torch.stack([part[b, row] for b, row in enumerate(steps)])
        for part in (teacher.targets(data.x)[:, 1:].detach(), data.y, data.mask)
    )
    losses = output_loss(teacher.signature.outputs, own.readout(m[mask]), y[mask])
    torch.testing.assert_close(terms["early_readout"], losses.mean())
    expected = torch.autograd.grad(2.0 * losses.mean(), list(own.readout.parameters()))
    assert_same(gradients(own.readout), list(expected))


def test_a_readout_does_not_learn_early_unless_asked_to():
    own, teacher, _ = pair()
    assert list(TeacherTraining(teacher, ALL, own.readout).modules()) == [teacher]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("transitions", [None, 4])
def test_joint_at_scale_0_is_teacher_training_for_the_teacher(kind, noise, transitions):
    own, teacher, data = pair(kind)
    config = SMTConfig(
        future=4,
        consistency=0.5,
        encoder_gradient_scale=0.0,
        noise=noise,
        transitions=transitions,
        uniformity=0.1,
    )
    descend(TeacherTraining(teacher, config), data)
    expected = gradients(teacher)
    descend(JointSMT(own, teacher, config), data)
    assert_same(gradients(teacher), expected, tolerance=1e-14)


def test_joint_at_scale_0_is_frozen_training_for_the_student():
    own, teacher, data = pair()
    config = SMTConfig(future=4, consistency=0.5, encoder_gradient_scale=0.0, noise=0.3)
    descend(FrozenSMT(own, teacher, config), data)
    expected = gradients(own)
    for scale in (0.0, 0.5, 1.0):
        scaled = replace(config, encoder_gradient_scale=scale)
        descend(JointSMT(own, teacher, scaled), data)
        assert_same(gradients(own), expected, tolerance=1e-12)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_encoder_s_gradient_is_scaled(encoder):
    own, teacher, data = pair(encoder=encoder)
    found = {}
    for scale in (0.0, 0.25, 1.0, 2.0):
        config = SMTConfig(future=4, consistency=0.5, encoder_gradient_scale=scale)
        descend(JointSMT(own, teacher, config), data)
        found[scale] = gradients(teacher.encoder), gradients(teacher.decoder)
    for scale in (0.25, 2.0):
        line = [a + scale * (b - a) for a, b in zip(found[0.0][0], found[1.0][0], strict=True)]
        assert_same(found[scale][0], line, tolerance=1e-12)
        assert_same(found[scale][1], found[0.0][1], tolerance=1e-12)
    assert any(
        (a - b).abs().max() > 1e-6 for a, b in zip(found[0.0][0], found[1.0][0], strict=True)
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transitions", [None, 5])
def test_outputs_that_do_not_count_move_nothing(name, kind, transitions):
    own, teacher, data = pair(kind)
    method = METHODS[name](own, teacher, replace(ALL, transitions=transitions))
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
    own, teacher, _ = pair(length=length, slots=1 if length == 2 else 3)
    config = SMTConfig(future=3, anchors=9, consistency=0.5, noise=0.1, transitions=transitions)
    losses = descend(METHODS[name](own, teacher, config), batch(signature(length=length), count))
    assert losses.total.isfinite()
    assert all(term.isfinite() for term in losses.terms.values())
    assert all(g.isfinite().all() for g in chain(gradients(own), gradients(teacher)))


class Own(Encoder):
    """Targets that are the memories of a student."""

    def __init__(self, net) -> None:
        super().__init__()
        self.net = [net]

    def targets(self, x):
        return self.net[0].rollout(x).detach()


@pytest.mark.parametrize("build", [JointSMT, FrozenSMT])
@pytest.mark.parametrize("cell", ["gru", "lstm", "transformer"])
@pytest.mark.parametrize("transitions", [None, 3])
def test_nothing_to_learn_from_ones_own_memories(build, cell, transitions):
    own, teacher, data = pair(cell=cell)
    teacher.encoder = Own(own)
    method = build(own, teacher, only("dynamics", transitions=transitions, consistency=1.0))
    losses = descend(method, data)
    assert float(losses.terms["dynamics"]) < 1e-24
    assert float(losses.terms["consistency"]) < 1e-14
    assert all(g.abs().max() < 1e-12 for g in gradients(own))
    with torch.no_grad():
        own.empty.add_(torch.linspace(0, 1, own.empty.numel()).view_as(own.empty))
    teacher.encoder = Own(student(signature(), cell="elman"))
    assert float(descend(method, data).terms["dynamics"].detach()) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noisy", [True, False])
def test_every_term_by_hand(kind, noisy):
    own, teacher, data = pair(kind)
    anchors = torch.tensor([[0, 6], [3, 3], [5, 1]])
    config = SMTConfig(future=4, consistency=0.5)
    noise = 0.3 * torch.randn((2, 3, 7, 2, 4), generator=seeded(5), dtype=torch.float64)
    sampled = SampledAnchors(None, anchors, noise if noisy else None)
    with torch.no_grad():
        found = JointSMT(own, teacher, config).compute(data, sampled)[1]
        expected = by_hand(own, teacher, data, anchors, noisy * noise)
        expected["uniformity"] = uniformity_by_hand(teacher.targets(data.x), anchors)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(found[name], torch.stack(values).mean(), msg=name)


def by_hand(own, teacher, data, anchors, noise, future=4):
    """All values whose mean is a term, by loops over sequences and steps.

    Noise is on what cell and decoder read, and not on what is to be reached.
    """
    targets, outputs = teacher.targets(data.x), own.signature.outputs
    terms = {name: [] for name in ("prediction", "decoding", "dynamics", "readout")}
    terms["consistency"] = []
    moves = [(targets[:, t] - targets[:, t + 1]).square().mean((1, 2)) for t in range(7)]
    spread = (targets - targets.mean(0)).square().mean() + MIN_VARIANCE
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
                read = teacher.decoder.readout(m)[None]
                terms["prediction"].append(output_loss(outputs, read, y).squeeze())
                terms["readout"].append(
                    output_loss(outputs, own.readout(stepped)[None], y).squeeze()
                )
        for anchor in anchors[b].tolist():  # the memory after x_t, t = anchor + 1
            x = data.x[b, anchor + 1 : anchor + future][None, None]
            target = targets[b, anchor + 1][None, None]
            reached = own.step(targets[b, anchor] + noise[0, b, anchor], data.x[b, anchor])
            decoded = teacher.decoder(target + noise[1, b, anchor], x)[0, 0]
            wanted, own_decoded = (
                teacher.decoder(m, x)[0, 0] for m in (target, reached[None, None])
            )
            for j in range(len(decoded)):
                if data.mask[b, anchor + j]:
                    y = data.y[b, anchor + j][None]
                    terms["decoding"].append(output_loss(outputs, decoded[j : j + 1], y).squeeze())
                    terms["consistency"].append(divergence(outputs, wanted[j], own_decoded[j]))
    return terms


def uniformity_by_hand(targets, anchors):
    """Its values at the anchors of the first sequence."""
    return [uniformity(targets[:, t + 1][None]) for t in anchors[0].tolist()]


@pytest.mark.parametrize("build", [TeacherTraining, JointSMT, FrozenSMT])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("length", [1, 7])
def test_sampling_all_times_is_using_all_times(build, encoder, length):
    own, teacher, data = pair(length=length, encoder=encoder)
    method = build(teacher, ALL) if build is TeacherTraining else build(own, teacher, ALL)
    anchors = torch.randint(length, (3, 2), generator=seeded(4))
    sides = []
    for times in (None, torch.arange(1, length + 1).expand(3, -1)):
        for part in (own, teacher):
            part.zero_grad(set_to_none=True)
        total, terms = method.compute(data, SampledAnchors(times, anchors, None))
        total.backward()
        sides.append([total, *terms.values(), *gradients(own), *gradients(teacher)])
    assert_same(*[[value.detach() for value in side] for side in sides])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("transitions", [None, 20])
@pytest.mark.parametrize("counts", [(1, 1, 1), (3, 0, 1)])
def test_outputs_are_read_only_where_they_may_count(name, transitions, counts):
    """The same losses and gradients as from a readout of all memories."""
    own, teacher, _ = pair(length=20)
    data, mask = batch(signature(length=20)), torch.zeros(3, 20, dtype=torch.bool)
    for row, count in enumerate(counts):
        mask[row, 17 - row : 17 - row + count] = True
    data, config = data._replace(mask=mask), replace(ALL, noise=0.3, transitions=transitions)
    method, sides = METHODS[name](own, teacher, config), []
    sampled = sample_anchors(config, data, own.memory, seeded(1))
    found = sampled.times[0] - 1 if transitions else torch.arange(20)
    most = int(mask[:, found].sum(1).max())
    assert sampled.counted.shape[1] in range(max(1, most), 2 * max(1, most))
    for some in (sampled, sampled._replace(counted=None)):
        for part in (own, teacher):
            part.zero_grad(set_to_none=True)
        total, terms = method.compute(data, some)
        total.backward()
        sides.append([total, *terms.values(), *gradients(own), *gradients(teacher)])
    assert_same(*[[value.detach() for value in side] for side in sides], tolerance=1e-12)


@pytest.mark.parametrize("encoder", ["linear", "stack", "fourier"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_teacher_alone_computes_only_memories_that_are_read(encoder, noise):
    """The same losses and gradients as from all memories, with uniformity at those alone."""
    own, teacher, _ = pair(length=20, encoder=encoder)
    data, mask = batch(signature(length=20)), torch.zeros(3, 20, dtype=torch.bool)
    mask[:, 16] = True
    data = data._replace(mask=mask)
    config = replace(ALL, decoding=0.0, noise=noise, uniformity=0.5, early_readout=1.0)
    method = TeacherTraining(teacher, config, own.readout)
    sampled = sample_anchors(config, data, own.memory, seeded(1))
    few = read_alone(config, sampled)
    assert few.times.tolist() == [[17]] * 3
    # All memories, with noise and anchors where the few have them.
    whole = sampled._replace(anchors=sampled.counted)
    if noise:
        whole.noise[:, :, 16] = few.noise[:, :, 0]
    sides = []
    for compute, some in ((method.compute, sampled), (all_memories(method), whole)):
        for part in (own, teacher):
            part.zero_grad(set_to_none=True)
        total, terms = compute(data, some)
        total.backward()
        sides.append([total, *terms.values(), *gradients(own), *gradients(teacher)])
    assert_same(*[[value.detach() for value in side] for side in sides], tolerance=1e-12)


def all_memories(method):
    """`compute` without the shortcut."""

    def compute(data, sampled):
        kept = smt.read_alone
        smt.read_alone = lambda config, given: given
        try:
            return method.compute(data, sampled)
        finally:
            smt.read_alone = kept

    return compute


def test_where_futures_are_decoded_all_memories_are_computed():
    own, _, data = pair()
    sampled = sample_anchors(ALL, data, own.memory, seeded())
    assert read_alone(ALL, sampled) is sampled


def test_where_most_outputs_count_all_are_read():
    own, _, data = pair()
    assert sample_anchors(ALL, data, own.memory, seeded()).counted is None


def samples(method, data):
    """The random choices of many steps."""
    seen = []
    method.compile(lambda compute: lambda batch, d: (seen.append(d), compute(batch, d))[1])
    for seed in range(60):
        method.losses(data, seeded(seed))
    return seen


@pytest.mark.parametrize("transitions", [None, 2])
def test_sampled_times_and_anchors_lie_in_range_and_all_come_up(transitions):
    own, teacher, data = pair()
    seen = samples(JointSMT(own, teacher, SMTConfig(transitions=transitions)), data)
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
    """Of seven steps the fourth counts, in the third sequence none: there any anchor will do.

    Sampled transitions leave out the last three steps, which are padding in every sequence.
    """
    own, teacher, data = pair()
    mask = torch.zeros_like(data.mask)
    mask[:2, 3] = True
    config = SMTConfig(future=future, transitions=transitions)
    seen = samples(JointSMT(own, teacher, config), data._replace(mask=mask))
    anywhere = set(range(7 if transitions is None else 4))
    for row, reached in ((0, set(range(4)[-(future or 7) :])), (2, anywhere)):
        found = set()
        for d in seen:
            chosen = d.anchors[row] if d.times is None else d.times[row][d.anchors[row]] - 1
            offered = set(range(7)) if d.times is None else set((d.times[row] - 1).tolist())
            if offered & reached:
                assert set(chosen.tolist()) <= reached
            found |= set(chosen.tolist())
        assert found >= reached


def test_noise_has_its_standard_deviation_and_is_new_each_step():
    own, teacher, data = pair()
    seen = samples(JointSMT(own, teacher, SMTConfig(noise=0.3)), data)
    noise = torch.stack([sampled.noise for sampled in seen])
    assert noise.shape == (60, 2, 3, 7, 2, 4)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(noise.std()) == pytest.approx(0.3, abs=0.01)
    assert not torch.equal(noise[:, 0], noise[:, 1])
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("transitions", [None, 4])
def test_the_same_generator_gives_the_same_step(name, transitions):
    own, teacher, data = pair()
    config = replace(ALL, transitions=transitions, noise=0.3)
    method = METHODS[name](own, teacher, config)
    first, again = outcome(method, data, 5), outcome(method, data, 5)
    assert torch.equal(first[0], again[0])
    assert_same(first[2], again[2], tolerance=0)
    assert not torch.equal(outcome(method, data, 6)[0], first[0])


@pytest.mark.parametrize("term", TERMS)
def test_the_total_is_the_weighted_sum(term):
    own, teacher, data = pair()
    one, two = (
        descend(JointSMT(own, teacher, replace(ALL, **{term: weight})), data)
        for weight in (1.0, 3.0)
    )
    expected = one.total.detach() + 2.0 * one.terms[term]
    torch.testing.assert_close(two.total.detach(), expected)


def test_the_cell_is_called_once():
    own, teacher, data = pair()
    calls = []
    own.cell.register_forward_hook(lambda *_: calls.append(1))
    for build, expected in ((JointSMT, 1), (FrozenSMT, 1)):
        calls.clear()
        method = build(own, teacher, ALL)
        method.losses(data, seeded())
        assert len(calls) == method.serial_calls(7) == expected
    calls.clear()
    TeacherTraining(teacher, ALL).losses(data, seeded())
    assert not calls


def test_a_step_compiles_to_one_graph_that_is_the_eager_step():
    script = Path(__file__).parents[1] / "compiled.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
