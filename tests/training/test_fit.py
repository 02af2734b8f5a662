"""`fit`: the loop for users of Python, on a device, with a seed, validation and callbacks."""

import math
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from small_runs import SMALL, whole
from torch import nn

from pastforward.analysis.meters import Score
from pastforward.baselines import BaselineConfig
from pastforward.baselines.build import build_baseline
from pastforward.config import Budget
from pastforward.data.opening import open_source
from pastforward.errors import NonFiniteLoss, UsageError
from pastforward.methods.bptt import bptt
from pastforward.methods.parallel import Parallel
from pastforward.methods.smt import FrozenSMT, JointSMT, TeacherTraining
from pastforward.student import Student, build_student
from pastforward.teacher.teacher import Teacher, build_teacher
from pastforward.training import FitConfig
from pastforward.training import networks as selection
from pastforward.training.callbacks import Callback, TensorBoard, Tracker
from pastforward.training.fit import FitContext, fit, fit_stages

SOURCE = open_source("copy:8")
CONFIG = FitConfig(batch=8, warmup=1, evaluations=4, compile="off")


def student() -> Student:
    torch.manual_seed(0)
    return build_student(SMALL.student, SOURCE.signature)


def pair() -> tuple[Student, Teacher]:
    own = student()
    return own, build_teacher(SMALL.teacher, SOURCE.signature, own.memory)


class Recorder(Callback):
    """Everything that it was told, in order."""

    def __init__(self, heard: list | None = None, name: str = "") -> None:
        self.heard = [] if heard is None else heard
        self.name = name

    def on_stage(self, name, number, of):
        self.heard.append((self.name + "stage", name, number, of))

    def on_step(self, fit, terms, valid):
        self.heard.append((self.name + "step", fit.progress.step, terms, valid))

    def on_end(self):
        self.heard.append((self.name + "end",))


def losses(recorder: Recorder) -> list[float]:
    return [row[2]["loss"] for row in recorder.heard if row[0] == "step"]


def run(method, steps: int = 4, **context) -> Recorder:
    recorder = Recorder()
    told = FitContext(callbacks=[recorder], **context)
    done = fit(method, SOURCE, 1e-2, Budget(steps=steps), CONFIG, told)
    assert done.progress.step == steps
    return recorder


def test_it_trains_and_calls_back():
    found = losses(run(bptt(student()), 30))
    assert len(found) == 30
    assert found[-1] < found[0]


def test_callbacks_are_called_in_order():
    heard = []
    two = [Recorder(heard, "a "), Recorder(heard, "b ")]
    fit(bptt(student()), SOURCE, 1e-2, Budget(steps=2), CONFIG, FitContext(callbacks=two))
    names = [row[0] for row in heard]
    assert names == ["a stage", "b stage", *["a step", "b step"] * 2, "a end", "b end"]
    assert [row[1] for row in heard if row[0] == "a step"] == [1, 2]
    assert heard[0][2:] == (0, 1)


@pytest.mark.parametrize("error", [NonFiniteLoss, MemoryError])
def test_callbacks_are_told_of_an_end_by_an_error(error):
    class Raises(Callback):
        def on_step(self, fit, terms, valid):
            raise error("here")

    recorder = Recorder()
    told = FitContext(callbacks=[recorder, Raises()])
    with pytest.raises(error, match="here"):
        fit(bptt(student()), SOURCE, 1e-2, Budget(steps=2), CONFIG, told)
    assert [row[0] for row in recorder.heard] == ["stage", "step", "end"]


def test_the_seed_is_that_of_batches():
    same, again, other = (losses(run(bptt(student()), seed=seed)) for seed in (3, 3, 4))
    assert same == again
    assert same[0] != other[0]  # before any step: other sequences


class OneBatch:
    """The same batch whatever the seed."""

    signature = SOURCE.signature

    def batch(self, seed, index, size):
        return SOURCE.batch(0, 0, size)


def test_the_seed_is_that_of_noise():
    def first(seed: int, noise: float) -> float:
        recorder, smt = Recorder(), replace(SMALL.smt, noise=noise)
        told = FitContext(seed=seed, callbacks=[recorder])
        fit(JointSMT(*pair(), smt), OneBatch(), 1e-2, Budget(steps=1), CONFIG, told)
        return losses(recorder)[0]

    assert first(0, 0.5) == first(0, 0.5) != first(1, 0.5)


DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("given", [str, torch.device])
def test_networks_and_batches_are_moved_to_the_device(device, given, monkeypatch):
    networks, tensors = [], []
    moved, move = nn.Module.to, torch.Tensor.to
    monkeypatch.setattr(nn.Module, "to", lambda m, *a, **k: (networks.append((m, a)), moved(m, *a, **k))[1])  # fmt: skip # noqa: E501
    monkeypatch.setattr(torch.Tensor, "to", lambda t, *a, **k: (tensors.append(a), move(t, *a, **k))[1])  # fmt: skip # noqa: E501
    own, teacher = pair()
    method = FrozenSMT(own, teacher, SMALL.smt)
    told = FitContext(device=given(device))
    done = fit(method, SOURCE, 1e-2, Budget(steps=1), CONFIG, told)
    # The frozen teacher, too, which the method does not train.
    assert [m for m, _ in networks] == [own, teacher]
    assert all(torch.device(a[0]).type == device for _, a in networks)
    assert sum(torch.device(device) in a for a in tensors) >= 3  # x, y and mask
    assert done.device.type == done.generator.device.type == device
    for network in (own, teacher):
        assert {p.device.type for p in network.parameters()} == {device}


def test_without_a_device_networks_stay_where_they_are(monkeypatch):
    monkeypatch.setattr(nn.Module, "to", lambda *_: pytest.fail("moved"))
    done = fit(bptt(student()), SOURCE, 1e-2, Budget(steps=1), CONFIG)
    assert done.device == torch.device("cpu")


LOSSES = (3.0, 1.0, math.nan, 2.0)
BEST = 1
"""NaN is never best."""


@pytest.fixture
def states(monkeypatch):
    """States of the network at its evaluations, whose losses are told beforehand."""
    found = []

    def told(network, batches, codec, shared):
        found.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return Score(LOSSES[len(found) - 1], None, 0.0, None, [])

    monkeypatch.setattr(selection, "quick_score", told)
    return found


def baseline_of_source():
    torch.manual_seed(0)
    return build_baseline(BaselineConfig("mingru", 1, 8, 8), SOURCE.signature)


@pytest.mark.parametrize("build", [bptt, Parallel], ids=["student", "baseline"])
def test_the_best_weights_are_put_back(build, states):
    network = student() if build is bptt else baseline_of_source()
    recorder = run(build(network), 8, validation=SOURCE)
    assert len(states) == CONFIG.evaluations
    kept = network.state_dict()
    same = [all(torch.equal(state[name], kept[name]) for name in kept) for state in states]
    assert same == [number == BEST for number in range(len(LOSSES))]
    valid = [row[3] for row in recorder.heard if row[0] == "step"]
    assert valid[0] is None
    assert [valid[n] for n in (1, 2, 3, 7)] == [3.0, 3.0, 1.0, 2.0]


def test_validation_counts_what_evaluation_counts():
    own = student()
    recorder = run(bptt(own), 4, validation=SOURCE)
    valid = [row[3] for row in recorder.heard if row[0] == "step"]
    batches = SOURCE.held_out("valid", selection.BATCH, selection.SEQUENCES)
    assert selection.quick_score(own, batches).nats == min(valid)


def test_without_validation_the_last_weights_stay(states):
    own = student()
    recorder = run(bptt(own), 8)
    assert not states
    assert all(row[3] is None for row in recorder.heard if row[0] == "step")


def test_a_teacher_has_no_held_out_loss_of_a_student(states):
    run(TeacherTraining(pair()[1], SMALL.smt), 8, validation=SOURCE)
    assert not states


class Writer:
    def __init__(self, folder: str) -> None:
        self.folder, self.rows, self.closed = folder, [], False

    def add_scalar(self, name, value, step):
        assert math.isfinite(value)
        self.rows.append((name, step))

    def close(self):
        self.closed = True


def test_tensorboard_gets_terms_and_held_out_losses(tmp_path, monkeypatch, states):
    place = "torch.utils.tensorboard"
    monkeypatch.setitem(sys.modules, place, SimpleNamespace(SummaryWriter=Writer))
    monkeypatch.setattr(sys.modules[__name__], "LOSSES", (3.0, 1.0, 1.0, 2.0))
    board = TensorBoard(tmp_path, every=3)
    told = FitContext(validation=SOURCE, callbacks=[board])
    fit(bptt(student()), SOURCE, 1e-2, Budget(steps=8), CONFIG, told)
    writer = board._writer
    assert writer.folder == str(tmp_path)
    assert writer.closed
    assert [step for name, step in writer.rows if name.endswith("/loss")] == [3, 6]
    names = {name.rpartition("/")[2] for name, _ in writer.rows}
    assert names == {"loss", "readout", "gradient", "valid"}
    assert [step for name, step in writer.rows if name == "valid"] == [2, 4, 8]


def test_tensorboard_where_it_is_not_installed_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"pip install 'pastforward\[tensorboard\]'") as told:
        TensorBoard(tmp_path)
    assert "\n" not in str(told.value)


def test_tensorboard_writes_event_files(tmp_path):
    pytest.importorskip("tensorboard", reason="needs the extra pastforward[tensorboard]")
    told = FitContext(callbacks=[TensorBoard(tmp_path, every=1)])
    fit(bptt(student()), SOURCE, 1e-2, Budget(steps=2), CONFIG, told)
    assert list(tmp_path.glob("events.out.tfevents.*"))


class FakeTracker:
    def __init__(self):
        self.heard = []

    def init(self, **given):
        self.heard.append(given)

    def log(self, row, step):
        self.heard.append((step, row))

    def finish(self):
        self.heard.append("finished")


@pytest.mark.parametrize("package", ["trackio", "wandb"])
def test_trackers_get_terms_and_held_out_losses(package, monkeypatch, states):
    monkeypatch.setattr(sys.modules[__name__], "LOSSES", (3.0, 1.0, 1.0, 2.0))
    tracker = FakeTracker()
    monkeypatch.setitem(sys.modules, package, tracker)
    told = FitContext(validation=SOURCE, callbacks=[Tracker(package, "notes", {"seed": 3}, 3)])
    fit(bptt(student()), SOURCE, 1e-2, Budget(steps=8), CONFIG, told)
    begun, *rows, end = tracker.heard
    assert begun == {"project": "pastforward", "name": "notes", "config": {"seed": 3}}
    assert end == "finished"
    assert [step for step, row in rows if any(name.endswith("/loss") for name in row)] == [3, 6]
    assert [step for step, row in rows if "valid" in row] == [2, 4, 8]


def test_a_tracker_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(UsageError, match=r"pip install pastforward\[trackio\]"):
        Tracker("trackio", "notes")


STAGES = replace(SMALL, fit=replace(SMALL.fit, evaluations=3))


def test_stages_in_memory_train_as_a_run_in_a_folder_does(tmp_path):
    heard = Recorder()
    kept = fit_stages(STAGES, SOURCE, FitContext(callbacks=[heard]))
    expected = whole(tmp_path / "run", STAGES).network
    for name, tensor in expected.state_dict().items():
        assert torch.equal(kept.state_dict()[name], tensor), name
    assert [row[1:] for row in heard.heard if row[0] == "stage"] == [
        ("teacher", 0, 3), ("smt", 1, 3), ("dmt", 2, 3)
    ]  # fmt: skip
    steps = [row for row in heard.heard if row[0] == "step"]
    assert [row[1] for row in steps] == [1, 2, 3] * 3
    # The teacher's stage trains no network, so nothing is evaluated in it.
    assert [row[3] is None for row in steps] == [True] * 5 + [False] * 4
    assert heard.heard[-1] == ("end",)


def test_stages_that_get_no_step_are_left_out():
    heard = Recorder()
    fit_stages(replace(STAGES, budget=Budget(steps=1)), SOURCE, FitContext(callbacks=[heard]))
    assert len([row for row in heard.heard if row[0] == "stage"]) == 1


def test_stages_that_do_not_fit_are_refused_before_training():
    heard = Recorder()
    with pytest.raises(UsageError, match="window k is 99"):
        fit_stages(
            replace(STAGES, dmt=replace(STAGES.dmt, window=99)), SOURCE,
            FitContext(callbacks=[heard]),
        )  # fmt: skip
    assert not heard.heard
