"""Evaluation against loops: losses, drift, one step, collapse."""

import json
import math

import pytest
import torch
from torch import nn

from pastforward.analysis.evaluate import evaluate, quick_score
from pastforward.analysis.memory_meters import CollapseMeter, DriftMeter, effective_rank
from pastforward.baselines import BaselineConfig
from pastforward.baselines.build import build_baseline, build_output_teacher, sized
from pastforward.cells import StudentConfig
from pastforward.data.codec import SymbolCodec
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.losses import MIN_VARIANCE, variance_unexplained
from pastforward.student import Student, build_student
from pastforward.teacher import TeacherConfig
from pastforward.teacher.teacher import build_teacher
from pastforward.training.distributed import Part
from pastforward.types import Batch, MemoryShape, Signature, Tokens, Vectors

LENGTH, COUNT = 6, 7


class Fixed(Source):
    def __init__(self, signature: Signature, whole: Batch) -> None:
        super().__init__("fixed", signature, SymbolCodec(4))
        self.whole = whole

    def batch(self, seed, index, size):
        return Batch(*(part[:size] for part in self.whole))

    def held_out(self, split, size, limit):
        for i in range(0, min(limit, len(self.whole.x)), size):
            yield Batch(*(part[i : min(i + size, limit)] for part in self.whole))

    def references(self):
        return {"uniform": math.log(4)}

    def describe(self):
        return {}


def random_batch(kind: Tokens | Vectors) -> Batch:
    generator = torch.Generator().manual_seed(1)
    # Uneven masks: no output at t = 2, and a sequence without any.
    mask = torch.rand(COUNT, LENGTH, generator=generator) < 0.6
    mask[:, 1], mask[3] = False, False
    if isinstance(kind, Tokens):
        x, y = torch.randint(0, kind.size, (2, COUNT, LENGTH), generator=generator)
    else:
        x, y = torch.randn(2, COUNT, LENGTH, kind.width, generator=generator)
    return Batch(x, y, mask)


@pytest.fixture(params=[Tokens(4), Vectors(2)], ids=["tokens", "vectors"])
def setting(request):
    torch.manual_seed(0)
    signature = Signature(request.param, request.param, LENGTH)
    student = build_student(StudentConfig(cell="gru", slots=2, width=4, embed=3), signature)
    config = TeacherConfig(width=8, depth=1, heads=2, decoder_depth=1)
    teacher = build_teacher(config, signature, student.memory)
    return student, teacher, Fixed(signature, random_batch(request.param))


def loops(read, batch: Batch, kind) -> dict:
    """Everything about losses, one output at a time; `read(b, t)` gives parameters of y_t."""
    rows = []
    for b in range(COUNT):
        for t in range(LENGTH):
            if not batch.mask[b, t]:
                continue
            p = read(b, t)
            if isinstance(kind, Tokens):
                target = int(batch.y[b, t])
                rows.append((b, t, -float(p.log_softmax(0)[target]), int(p.argmax()) == target))
            else:
                mean, log_std = p.chunk(2)
                normal = torch.distributions.Normal(mean, log_std.exp())
                rows.append((b, t, -float(normal.log_prob(batch.y[b, t]).sum()), False))
    mean = sum(r[2] for r in rows) / len(rows)
    at = [[r[2] for r in rows if r[1] == t] for t in range(LENGTH)]
    residuals = [sum(r[2] - mean for r in rows if r[0] == b) for b in range(COUNT)]
    error = math.sqrt(sum(r * r for r in residuals) * COUNT / (COUNT - 1)) / len(rows)
    return {
        "nats": mean, "error": error, "outputs": len(rows),
        "accuracy": sum(r[3] for r in rows) / len(rows),
        "by_position": [sum(v) / len(v) if v else None for v in at],
    }  # fmt: skip


def check(score, expected, kind) -> None:
    assert score.nats == pytest.approx(expected["nats"], rel=1e-5)
    assert score.bits == pytest.approx(expected["nats"] / math.log(2), rel=1e-5)
    assert score.error == pytest.approx(expected["error"], rel=1e-4)
    assert score.by_position[1] is None
    for found, value in zip(score.by_position, expected["by_position"], strict=True):
        assert found == (None if value is None else pytest.approx(value, rel=1e-5))
    assert score.accuracy == (expected["accuracy"] if isinstance(kind, Tokens) else None)


@pytest.mark.parametrize("size", [1, 3, 64])
@torch.no_grad()
def test_losses_by_brute_force(setting, size):
    student, teacher, source = setting
    kind, batch = source.signature.outputs, source.whole

    def alone(b, t):
        m = student.start()
        for s in range(t + 1):
            m = student.step(m, batch.x[b, s])
        return student.readout(m)

    def taught(b, t):
        return teacher.predict(batch.x[b : b + 1])[0, t]

    found = evaluate(student, teacher, source, size=size)
    expected = loops(alone, batch, kind)
    check(found.student, expected, kind)
    assert found.teacher is not None
    check(found.teacher, loops(taught, batch, kind), kind)
    assert found.outputs == expected["outputs"]
    assert found.sequences == COUNT
    assert found.references == {"uniform": math.log(4)}
    batches = source.held_out("valid", size, COUNT)
    assert quick_score(student, batches).nats == pytest.approx(expected["nats"], rel=1e-5)


def test_readers_together_measure_what_one_does(setting, monkeypatch):
    student, teacher, source = setting
    sent = []

    def from_ranks(meters):
        sent.append(meters)
        return sent[::-1]

    monkeypatch.setattr("pastforward.analysis.evaluate.from_ranks", from_ranks)
    alone = evaluate(student, teacher, source, size=2)
    parts = [evaluate(student, teacher, source, size=2, shared=Part(2, n)) for n in (1, 0)]
    assert 0 < parts[0].sequences < alone.sequences
    together, expected = (flattened(found.to_json()) for found in (parts[1], alone))
    assert together.keys() == expected.keys()
    for name, value in expected.items():
        near = pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
        assert together[name] == near, name


def flattened(found, prefix=""):
    """Numbers by their path in nested dicts and lists."""
    if isinstance(found, dict | list):
        rows = found.items() if isinstance(found, dict) else enumerate(found)
        return {k: v for n, part in rows for k, v in flattened(part, f"{prefix}/{n}").items()}
    return {prefix: found}


@torch.no_grad()
def test_a_baseline_and_an_output_teacher_by_brute_force(setting):
    """They have losses and no memories."""
    _, _, source = setting
    kind, batch = source.signature.outputs, source.whole
    config = StudentConfig(slots=2, width=4, embed=3)
    config = sized(BaselineConfig("mingru"), source.signature, config)
    baseline = build_baseline(config, source.signature)
    teacher = build_output_teacher(TeacherConfig(width=8, heads=2), 1, source.signature)

    def read(network):
        return lambda b, t: network(batch.x[b : b + 1, : t + 1])[0][0, t]

    found = evaluate(baseline, teacher, source, size=3)
    expected = loops(read(baseline), batch, kind)
    check(found.student, expected, kind)
    assert found.teacher is not None
    check(found.teacher, loops(read(teacher), batch, kind), kind)
    assert quick_score(baseline, source.held_out("valid", 3, COUNT)).nats == pytest.approx(
        expected["nats"], rel=1e-5
    )
    assert (found.drift, found.collapse) == (None, {})
    json.dumps(found.to_json(), allow_nan=False)


@torch.no_grad()
def test_a_student_beside_an_output_teacher_has_memories_and_no_targets(setting):
    student, _, source = setting
    teacher = build_output_teacher(TeacherConfig(width=8, heads=2), 1, source.signature)
    found = evaluate(student, teacher, source)
    assert found.drift is None
    assert found.collapse.keys() == {"student"}
    assert found.student == evaluate(student, None, source).student


@torch.no_grad()
def test_drift_and_one_step_by_brute_force(setting):
    student, teacher, source = setting
    x, mask = source.whole.x, source.whole.mask
    targets = teacher.targets(x)
    ends = [max((t + 1 for t in range(LENGTH) if row[t]), default=0) for row in mask]
    slots, steps = torch.zeros(len(student.empty), dtype=torch.float64), sum(ends)
    for t in range(1, LENGTH + 1):  # variances across sequences at the same step
        at_t = targets[[b for b in range(COUNT) if t <= ends[b]], t].double()
        slots += (at_t - at_t.mean(0)).square().mean(2).sum(0) / steps
    scale = float(slots.mean()) + MIN_VARIANCE
    errors, one_step = [[] for _ in range(LENGTH + 1)], torch.zeros(len(slots))
    for b in range(COUNT):
        m = student.start()
        for t in range(ends[b] + 1 if ends[b] else 0):
            errors[t].append(float((m - targets[b, t]).square().mean()))
            if t < ends[b]:
                m = student.step(m, x[b, t])
                stepped = student.step(targets[b, t], x[b, t])
                one_step += (stepped - targets[b, t + 1]).square().mean(-1) / steps
    expected = [sum(at_t) / len(at_t) for at_t in errors]
    found = evaluate(student, teacher, source, size=3).drift
    assert found is not None
    assert found.mse == pytest.approx(expected, rel=1e-4)
    assert found.relative == pytest.approx([v / scale for v in expected], rel=1e-4)
    assert found.one_step == pytest.approx(float(one_step.mean()) / scale, rel=1e-4)
    by_slot = [float(e / (v + MIN_VARIANCE)) for e, v in zip(one_step, slots, strict=True)]
    assert found.by_slot == pytest.approx(by_slot, rel=1e-4)
    assert found.variance == pytest.approx(float(slots.mean()), rel=1e-4)


@torch.no_grad()
def test_one_step_is_what_training_descends(setting):
    student, teacher, source = setting
    x = source.whole.x
    targets = teacher.targets(x)
    stepped = student.step(targets[:, :-1], x)
    expected = float(variance_unexplained(stepped, targets[:, 1:]).mean())
    for size in (3, COUNT):  # however the sequences are divided into batches
        meter = DriftMeter(LENGTH, student.memory)
        parts = (part.split(size) for part in (student.rollout(x), targets, stepped))
        for own, wanted, after in zip(*parts, strict=True):
            meter.add(own, wanted, after)
        assert meter.read().one_step == pytest.approx(expected, rel=1e-5)
        errors = variance_unexplained(student.rollout(x)[:, 1:], targets[:, 1:])
        assert meter.read().relative[1:] == pytest.approx(errors.mean(0).tolist(), rel=1e-5)


def test_what_t_alone_decides_has_no_variance():
    """A clock shared by all sequences makes no error look small."""
    clock = torch.randn(1, 6, 2, 3, generator=torch.Generator().manual_seed(0))
    targets = clock.expand(10, -1, -1, -1)
    meter = DriftMeter(5, MemoryShape(2, 3))
    for part in targets.split(4):
        meter.add(part + 0.1, part, part[:, 1:] + 0.1)
    found = meter.read()
    assert found.variance == pytest.approx(0.0, abs=1e-12)
    assert found.one_step == pytest.approx(0.1**2 / MIN_VARIANCE, rel=1e-5)
    assert found.relative == pytest.approx([0.1**2 / MIN_VARIANCE] * 6, rel=1e-5)
    assert found.by_slot == pytest.approx([0.1**2 / MIN_VARIANCE] * 2, rel=1e-5)


class OwnTargets(nn.Module):
    """A teacher whose targets are the student's own rollout."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def targets(self, x):
        return self.student.rollout(x)

    def readout(self, m):
        return self.student.readout(m)


def test_no_drift_from_the_students_own_rollout(setting):
    student, _, source = setting
    found = evaluate(student, OwnTargets(student), source)  # type: ignore[arg-type]
    assert found.drift is not None
    assert found.drift.mse == [0.0] * (LENGTH + 1)
    assert found.drift.one_step == pytest.approx(0.0, abs=1e-9)
    assert found.teacher == found.student
    assert found.collapse["targets"] == found.collapse["student"]


def test_drift_of_mean_memories_is_one():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(4000, 5, 2, 3, generator=generator)
    meter = DriftMeter(4, MemoryShape(2, 3))
    meter.add(torch.zeros_like(targets), targets, torch.zeros_like(targets[:, 1:]))
    assert meter.read().relative == pytest.approx([1.0] * 5, abs=0.05)
    assert meter.read().one_step == pytest.approx(1.0, abs=0.02)


def test_without_a_teacher(setting):
    student, _, source = setting
    found = evaluate(student, None, source)
    assert found.teacher is None
    assert found.drift is None
    assert list(found.collapse) == ["student"]


def test_limit_takes_the_first_sequences(setting):
    student, _, source = setting
    first = Fixed(source.signature, Batch(*(part[:5] for part in source.whole)))
    found, expected = evaluate(student, None, source, limit=5), evaluate(student, None, first)
    assert found == expected
    assert found.sequences == 5


def test_modes_of_networks_are_restored(setting):
    student, teacher, source = setting
    student.train()
    student.readout.eval()
    teacher.eval()
    evaluate(student, teacher, source)
    quick_score(student, source.held_out("valid", 3, 7))
    assert student.training
    assert student.cell.training
    assert not student.readout.training
    assert not teacher.training
    loss = student.readout(student.step(student.start(2), source.whole.x[:2, 0])).sum()
    loss.backward()
    assert student.empty.grad is not None


def test_modes_are_restored_after_an_error(setting):
    student, _, _ = setting
    student.train()

    def broken():
        raise RuntimeError("no data")
        yield

    with pytest.raises(RuntimeError, match="no data"):
        quick_score(student, broken())
    assert student.training


def test_nothing_to_predict(setting):
    student, _, source = setting
    empty = source.whole._replace(mask=torch.zeros_like(source.whole.mask))
    with pytest.raises(UsageError, match="holds no output"):
        evaluate(student, None, Fixed(source.signature, empty))


def test_one_sequence_has_no_error(setting):
    student, _, source = setting
    assert evaluate(student, None, source, limit=1).student.error is None


def test_json_is_plain_even_for_a_student_that_diverged(setting):
    student, teacher, source = setting
    facts = evaluate(student, teacher, source).to_json()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    with torch.no_grad():
        next(student.readout.parameters()).fill_(math.nan)
    facts = evaluate(student, None, source).to_json()
    json.dumps(facts, allow_nan=False)
    assert facts["student"]["nats"] is None


@pytest.mark.parametrize(
    ("values", "rank"),
    [
        ([1.0, 1.0, 1.0, 1.0], 4.0),
        ([5.0, 0.0, 0.0, 0.0], 1.0),
        ([0.0, 0.0, 0.0, 0.0], 1.0),
        ([2.0, 2.0, 0.0, 0.0], 2.0),
        ([0.5, 0.25, 0.25, 0.0], 2**1.5),
        ([1e-5, 1e-5, 0.0, 0.0], 2.0),
    ],
)
def test_effective_rank_of_known_covariances(values, rank):
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))
    turn = turn.double()
    covariance = turn @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ turn.T
    assert effective_rank(covariance) == pytest.approx(rank, rel=1e-4)


def test_memories_that_are_not_finite_have_no_rank():
    assert math.isnan(effective_rank(torch.full((3, 3), torch.inf)))


def test_collapse_meter_by_brute_force():
    m = torch.randn(3, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    meter = CollapseMeter(4)
    meter.add(m[:1])
    meter.add(m[1:])
    rows = m.reshape(15, 4).double()
    cosines = [
        float(torch.cosine_similarity(rows[i], rows[j], 0))
        for i in range(15)
        for j in range(15)
        if i != j
    ]
    found = meter.read()
    assert found.similarity == pytest.approx(sum(cosines) / len(cosines), abs=1e-6)
    assert found.rank == pytest.approx(effective_rank(torch.cov(rows.T, correction=0)), rel=1e-6)


def test_collapse_meter_sees_collapse():
    meter = CollapseMeter(4)
    meter.add(torch.ones(8, 100, 1, 4))
    assert meter.read().similarity == pytest.approx(1.0)
    assert meter.read().rank == pytest.approx(1.0)
    assert meter.count == 8 * 32
