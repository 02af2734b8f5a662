"""A run that was stopped and resumed is the run that never stopped, to the bit."""

import os
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from small_runs import (
    BASELINE,
    BPTT,
    CURRICULUM,
    DISTILL,
    RTRL,
    SMALL,
    StopAfter,
    begin,
    never,
    no_space,
    whole,
)

import pastforward.training.trainer as run_module
from pastforward.errors import UsageError
from pastforward.training.callbacks import Callback
from pastforward.training.folder import IfExists, RunFolder, load_tensors
from pastforward.training.trainer import Interrupted


@pytest.fixture(autouse=True)
def _every_step(monkeypatch):
    monkeypatch.setattr(run_module, "LOG_EVERY", 1)


def metrics(folder: RunFolder) -> list[dict]:
    """All that does not depend on the clock."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in folder.metrics.read()]


def assert_same_run(one: RunFolder, other: RunFolder) -> None:
    """All files of two finished runs hold the same."""
    assert one.teacher.exists() == other.teacher.exists()
    for name in ("checkpoint", "student", "teacher")[: 3 if other.teacher.exists() else 2]:
        found, expected = (load_file(getattr(folder, name)) for folder in (one, other))
        assert found.keys() == expected.keys()
        for key, tensor in expected.items():
            assert torch.equal(found[key], tensor), f"{name}: {key}"
    assert metrics(one) == metrics(other)


def never_stopped(config, factory) -> RunFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "LOG_EVERY", 1)
        return whole(factory.mktemp("run") / "unbroken", config).folder


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return never_stopped(SMALL, tmp_path_factory)


@pytest.fixture(scope="module")
def unbroken_bptt(tmp_path_factory):
    return never_stopped(BPTT, tmp_path_factory)


def resumed_after(count: int, path, config=SMALL) -> RunFolder:
    first = begin(path, config)
    with pytest.raises(Interrupted):
        first.train((), StopAfter(count))
    torch.manual_seed(count)  # nothing may hang on torch's own generator
    second = begin(path, config, IfExists.RESUME)
    second.train((), never)
    assert second.spent.step == 9
    return second.folder


@pytest.mark.parametrize("count", range(1, 10))
def test_k_steps_then_resume_is_n_steps(count, unbroken, tmp_path):
    """Within each of three stages (1, 2, 4, ...) and at their ends (3, 6, 9).

    Step 7 is the first of two replay steps of a batch, so the run stops after step 8.
    """
    assert_same_run(resumed_after(count, tmp_path / "run"), unbroken)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_k_steps_then_resume_is_n_steps_by_bptt(count, unbroken_bptt, tmp_path):
    assert_same_run(resumed_after(count, tmp_path / "run", BPTT), unbroken_bptt)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize(
    "config", [DISTILL, RTRL, BASELINE, CURRICULUM],
    ids=["distill", "rtrl", "baseline", "curriculum"],
)  # fmt: skip
def test_k_steps_then_resume_is_n_steps_of_other_methods(config, count, tmp_path, tmp_path_factory):
    whole_run = never_stopped(config, tmp_path_factory)
    assert_same_run(resumed_after(count, tmp_path / "run", config), whole_run)
    assert whole_run.teacher.exists() == (config is DISTILL)


def test_what_is_compared_tells_runs_apart(unbroken, unbroken_bptt, tmp_path):
    other = whole(tmp_path / "run", replace(BPTT, seed=1)).folder
    for one in (unbroken, other):
        with pytest.raises(AssertionError):
            assert_same_run(one, unbroken_bptt)
    stopped = begin(tmp_path / "stopped", SMALL)
    with pytest.raises(Interrupted):
        stopped.train((), StopAfter(4))
    assert any("optimiser/" in name for name in load_file(stopped.folder.checkpoint))
    assert [row["step"] for row in metrics(unbroken) if "loss" in row] == list(range(1, 10))


def test_resumed_many_times(unbroken, tmp_path):
    run, stops = begin(tmp_path / "run"), 0
    while True:
        try:
            run.train((), StopAfter(2))
            break
        except Interrupted:
            stops += 1
            run = begin(tmp_path / "run", if_exists=IfExists.RESUME)
    assert stops >= 4
    assert_same_run(run.folder, unbroken)


class Crash(Callback):
    def __init__(self, count: int) -> None:
        self.stop = StopAfter(count)

    def on_step(self, fit, terms, valid) -> None:
        if self.stop():
            raise MemoryError


def test_a_crash_goes_back_to_the_last_checkpoint(unbroken, tmp_path):
    first = begin(tmp_path / "run")
    with pytest.raises(MemoryError):
        first.train([Crash(5)], never)
    assert len(metrics(first.folder)) > 3
    second = begin(tmp_path / "run", if_exists=IfExists.RESUME)
    assert (second.number, second.spent.step) == (1, 3)
    second.train((), never)
    assert_same_run(second.folder, unbroken)


def test_a_crash_before_the_first_checkpoint_starts_again(unbroken, tmp_path):
    first = begin(tmp_path / "run")
    with pytest.raises(MemoryError):
        first.train([Crash(2)], never)
    second = begin(tmp_path / "run", if_exists=IfExists.RESUME)
    second.train((), never)
    assert_same_run(second.folder, unbroken)


def test_a_half_written_row_is_forgotten(unbroken, tmp_path):
    first = begin(tmp_path / "run")
    with pytest.raises(Interrupted):
        first.train((), StopAfter(4))
    with first.folder.metrics.path.open("a") as file:
        file.write('{"step": 4, "lo')
    second = begin(tmp_path / "run", if_exists=IfExists.RESUME)
    second.train((), never)
    assert metrics(second.folder) == metrics(unbroken)


def test_a_full_disk_keeps_the_last_checkpoint(unbroken, tmp_path, monkeypatch):
    run = begin(tmp_path / "run")
    with pytest.raises(Interrupted):
        run.train((), StopAfter(4))
    before = run.folder.checkpoint.read_bytes()
    for name in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, no_space)
            with pytest.raises(UsageError, match="No space left"):
                begin(tmp_path / "run", if_exists=IfExists.RESUME).train((), StopAfter(1))
    assert run.folder.checkpoint.read_bytes() == before
    assert [p.name for p in run.folder.checkpoint.parent.iterdir()] == ["last.safetensors"]
    resumed = begin(tmp_path / "run", if_exists=IfExists.RESUME)
    resumed.train((), never)
    assert_same_run(resumed.folder, unbroken)


def test_no_checkpoint_between_two_replay_steps_of_a_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "CHECKPOINT_EVERY", 0.0)
    run, steps = begin(tmp_path / "run"), []
    checkpoint = run.checkpoint
    run.checkpoint = lambda: (steps.append(run.spent.step + run.fit.progress.step), checkpoint())
    run.train((), never)
    assert 6 in steps
    assert 7 not in steps
    assert 8 in steps


def test_checkpoints_come_by_the_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "CHECKPOINT_EVERY", 0.0)
    run = begin(tmp_path / "run")
    with pytest.raises(MemoryError):
        run.train([Crash(3)], never)
    assert load_tensors(run.folder.checkpoint)[1]["progress"]["step"] == 2
