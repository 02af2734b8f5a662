"""The loop: budgets, accumulation, schedules, the non-finite stop, the eager fallback."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from small_runs import BPTT, SMALL

from pastforward.config import Budget
from pastforward.data.opening import open_source
from pastforward.errors import NonFiniteLoss
from pastforward.methods import METHODS, DMTConfig, SMTConfig
from pastforward.methods.base import Losses, Method
from pastforward.methods.bptt import TruncatedBPTT, bptt
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.methods.smt import FrozenSMT
from pastforward.student import Student, build_student
from pastforward.teacher.teacher import Teacher, build_teacher
from pastforward.training import FitConfig
from pastforward.training.folder import RunFolder
from pastforward.training.loop import Fit
from pastforward.training.optimiser import schedule
from pastforward.training.trainer import Trainer
from pastforward.types import AnyBatch, Batch, BatchWithTargets

SOURCE = open_source("copy:8")
EAGER = FitConfig(batch=8, warmup=1, compile="off")


def student(seed: int = 0) -> Student:
    torch.manual_seed(seed)
    return build_student(SMALL.student, SOURCE.signature)


def stage(method: Method, config: FitConfig = EAGER, steps: int = 4) -> Fit:
    return Fit(method, SOURCE, 1e-2, Budget(steps=steps), config)


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_accumulation_is_the_whole_batch(parts):
    """For losses that are means over outputs; batch statistics see each part alone."""
    one, other = student(), student()
    whole = stage(bptt(one))
    cut = stage(bptt(other), replace(EAGER, accumulate=parts))
    for _ in range(3):
        a, b = whole.step(), cut.step()
        assert a == pytest.approx(b, rel=1e-4)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)


class Poisoned(Method):
    """A method whose terms become infinite or NaN at its third step."""

    def __init__(self, own: Student, name: str, value: float) -> None:
        self.inner, self.name, self.value, self.calls = bptt(own), name, value, 0

    def modules(self):
        return self.inner.modules()

    def serial_calls(self, length):
        return 0

    def compile(self, transform):
        pass

    def losses(self, batch, generator):
        self.calls += 1
        total, terms, _ = self.inner.losses(batch, generator)
        if self.calls == 3:
            bad = torch.tensor(self.value)
            return Losses(total + bad, terms | {self.name: bad})
        return Losses(total, terms | {self.name: torch.tensor(0.0)})


class Cut:
    """The first steps of every sequence, and their targets, as a source of its own."""

    def __init__(self, length: int, teacher: Teacher | None = None) -> None:
        self.length, self.teacher = length, teacher
        self.signature = replace(SOURCE.signature, length=length)

    def batch(self, seed: int, index: int, size: int) -> AnyBatch:
        cut = Batch(*(part[:, : self.length] for part in SOURCE.batch(seed, index, size)))
        if self.teacher is None:
            return cut
        with torch.no_grad():
            return BatchWithTargets(*cut, self.teacher.targets(cut.x))


@pytest.mark.parametrize("with_targets", [False, True])
def test_a_prefix_is_a_source_of_shorter_sequences(with_targets):
    own, other = student(), student()
    own_teacher = build_teacher(SMALL.teacher, SOURCE.signature, own.memory)
    methods = [
        FrozenSMT(one, own_teacher, SMALL.smt) if with_targets else bptt(one)
        for one in (own, other)
    ]
    source = Cut(8, own_teacher) if with_targets else SOURCE
    cut = Fit(methods[0], source, 1e-2, Budget(steps=3), replace(EAGER, prefix=6))
    short = Fit(
        methods[1], Cut(6, own_teacher if with_targets else None), 1e-2, Budget(steps=3), EAGER
    )
    for _ in range(3):
        assert cut.step() == pytest.approx(short.step(), rel=1e-5)
    assert cut.progress.tokens == short.progress.tokens == 3 * 8 * 6
    assert cut.progress.calls == short.progress.calls
    for p, q in zip(own.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)


class Buckets:
    """Batches of 7, 5 and 8 steps in turn, as they are or padded to the length of all."""

    LENGTHS = (7, 5, 8)

    def __init__(self, padded: bool) -> None:
        self.padded, self.signature = padded, SOURCE.signature

    def batch(self, seed: int, index: int, size: int) -> Batch:
        x, y, _ = SOURCE.batch(seed, index, size)
        length = self.LENGTHS[index % 3]
        ends = length - torch.arange(size) % 4
        mask = torch.arange(x.shape[1]) < ends[:, None]
        return Batch(*(part if self.padded else part[:, :length] for part in (x, y, mask)))


@pytest.mark.parametrize("prefix", [None, 6])
@pytest.mark.parametrize("name", ["smt", "bptt", "dmt"])
def test_batches_of_several_lengths_train_as_padded_ones_do(name, prefix):
    found, run = [], replace(SMALL, smt=SMTConfig(), dmt=DMTConfig(window=4, replay_steps=2))
    for padded in (False, True):
        own = student()
        own_teacher = build_teacher(SMALL.teacher, SOURCE.signature, own.memory)
        method = METHODS.load(name)(own, own_teacher, run)
        config = replace(EAGER, prefix=prefix)
        found.append((Fit(method, Buckets(padded), 1e-2, Budget(steps=6), config), own))
    (short, own), (padded, other) = found
    for _ in range(6):
        assert short.step() == pytest.approx(padded.step(), rel=1e-3, abs=1e-5)
    for p, q in zip(own.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4)
    replays, longest = short.method.replay_steps, prefix or 99
    read = [min(Buckets.LENGTHS[step // replays % 3], longest) for step in range(6)]
    assert short.progress.tokens == 8 * sum(read)
    assert short.progress.calls == sum(map(short.method.serial_calls, read))
    assert padded.progress.tokens == 8 * 6 * min(SOURCE.signature.length, longest)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_non_finite_loss_stops_before_the_step_and_names_the_term(value):
    own = student()
    poisoned = stage(Poisoned(own, "dynamics", value))
    poisoned.step()
    poisoned.step()
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    with pytest.raises(NonFiniteLoss, match=f"'dynamics' is {value} at step 2"):
        poisoned.step()
    assert poisoned.progress.step == 2
    assert all(torch.equal(before[name], tensor) for name, tensor in own.state_dict().items())


def test_a_gradient_without_limit_stops_too():
    own = student()
    with torch.no_grad():
        next(iter(own.readout.parameters())).fill_(math.inf)
    with pytest.raises(NonFiniteLoss, match="'readout'"):
        stage(bptt(own)).step()


def test_gradients_are_clipped():
    own = student()
    one = stage(bptt(own), replace(EAGER, clip=1e-3))
    one.step()
    norm = torch.stack([p.grad.norm() for p in own.parameters() if p.grad is not None]).norm()
    assert norm <= 1.001e-3


def test_schedules():
    cosine = [schedule(FitConfig(warmup=1), step, step / 10) for step in range(11)]
    assert cosine[0] == pytest.approx(1.0)
    assert cosine[-1] == pytest.approx(0.05)
    assert all(a > b for a, b in pairwise(cosine))
    flat = FitConfig(warmup=4, schedule="constant")
    assert [schedule(flat, step, 0.9) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize("when", ["at once", "at the first call"])
def test_where_the_compiler_fails_training_goes_on_eagerly(when, monkeypatch):
    def broken(part, **options):
        if when == "at once":
            raise RuntimeError("no compiler found\nand a long trace")

        def call(*_):
            raise RuntimeError("no compiler found\nand a long trace")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    own, plain = student(), student()
    compiled = stage(TruncatedBPTT(own, 4), replace(EAGER, compile="on"))
    with pytest.warns(UserWarning, match=r"torch.compile failed \(no compiler found\).*eagerly"):
        compiled.prepare()
    eager = stage(TruncatedBPTT(plain, 4))
    assert compiled.step() == eager.step()


def test_compiled_code_that_gives_other_gradients_is_not_used(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda part, **_: lambda *given: 1.05 * part(*given))
    own, plain = student(), student()
    wrong = stage(TruncatedBPTT(own, 4), replace(EAGER, compile="on"))
    with pytest.warns(UserWarning, match=r"failed \(gradients are off by \d.*%\).*eagerly"):
        wrong.prepare()
    assert wrong.step() == stage(TruncatedBPTT(plain, 4)).step()


def test_gradients_that_an_earlier_stage_left_do_not_count_against_compiled_code(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda part, **_: part)
    own = student()
    own.empty.grad = torch.ones_like(own.empty)
    later = stage(TruncatedBPTT(own, 4), replace(EAGER, compile="on"))
    later.prepare()  # a warning would be an error
    assert own.empty.grad is None


@pytest.mark.parametrize(
    ("given", "seconds", "compiled"),
    [("off", 1e6, False), ("auto", 10.0, False), ("auto", 1e6, False), ("on", 1.0, True)],
)
def test_compiling_on_a_cpu_is_for_those_who_ask(given, seconds, compiled, monkeypatch):
    calls = []
    monkeypatch.setattr(torch, "compile", lambda part, **options: calls.append(part) or part)
    config = replace(EAGER, compile=given)
    Fit(bptt(student()), SOURCE, 1e-2, Budget(seconds=seconds), config).prepare()
    assert bool(calls) == compiled


def test_all_methods_see_the_same_batches(tmp_path):
    runs = [Trainer(config, RunFolder(tmp_path / "x")) for config in (SMALL, BPTT)]
    for step in range(3):
        a, b = (run.fit._parts(step)[0] for run in runs)
        assert torch.equal(a.x, b.x)


class Repeated:
    """Every batch of a source so many times in a row: the slow twin of replay steps."""

    def __init__(self, times: int) -> None:
        self.times, self.signature = times, SOURCE.signature

    def batch(self, seed, index, size):
        return SOURCE.batch(seed, index // self.times, size)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("build", [WindowDMT, UnrollDMT])
def test_replay_steps_are_a_source_that_repeats_itself(build, accumulate):
    """Where no memories of the student's own are kept: those age."""
    config, steps, calls, stages = replace(EAGER, accumulate=accumulate), 7, [], []
    for source, replay_steps in ((SOURCE, 3), (Repeated(3), 1)):
        own = student()
        own_teacher = build_teacher(SMALL.teacher, SOURCE.signature, own.memory)
        targets, seen = own_teacher.encoder.targets, []
        own_teacher.encoder.targets = lambda x, targets=targets, seen=seen: (
            seen.append(x),
            targets(x),
        )[1]
        method = build(
            own,
            own_teacher,
            DMTConfig(window=3, on_policy_fraction=0.0, distill=0.5, replay_steps=replay_steps),
        )
        stages.append(Fit(method, source, 1e-2, Budget(steps=steps), config))
        calls.append(seen)
    for _ in range(steps):
        found, expected = (stage.step() for stage in stages)
        assert found == expected
        for p, q in zip(*(stage.parameters for stage in stages), strict=True):
            assert torch.equal(p.grad, q.grad)
            assert torch.equal(p, q)
    assert [len(seen) for seen in calls] == [3 * accumulate, steps * accumulate]


def test_noise_is_a_function_of_seed_and_step():
    one, other = stage(bptt(student())), stage(bptt(student()))
    one.progress.step = other.progress.step = 5
    one.step()
    other.step()
    assert torch.equal(*(torch.rand(3, generator=s.generator) for s in (one, other)))
