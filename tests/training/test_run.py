"""Runs: budgets, what is kept, and what is refused."""

import json
from dataclasses import replace

import pytest
import torch
from small_runs import BASELINE, BPTT, DISTILL, SMALL, StopAfter, begin, never, no_space, whole

import pastforward.training.trainer as run_module
from pastforward.baselines.attention import Attention
from pastforward.config import Budget, Stage
from pastforward.errors import UsageError
from pastforward.student_file import load_student
from pastforward.training.folder import IfExists
from pastforward.training.trainer import Interrupted


def test_the_best_student_is_kept(tmp_path):
    run = whole(tmp_path / "run")
    losses = [row["valid"] for row in run.folder.metrics.read() if "valid" in row]
    assert len(losses) == 6  # none while there is only a teacher
    assert run.selection.best == min(losses)
    kept, _ = load_student(run.folder.student)
    for name, tensor in kept.state_dict().items():
        assert torch.equal(tensor, run.selection.tensors[name])


def test_bptt_leaves_no_teacher(tmp_path):
    folder = whole(tmp_path / "run", BPTT).folder
    assert folder.student.exists()
    assert not folder.teacher.exists()


def test_an_output_teacher_is_trained_before_the_student_is_evaluated(tmp_path):
    run = whole(tmp_path / "run", DISTILL)
    rows = run.folder.metrics.read()
    assert {row["stage"] for row in rows if "valid" in row} == {"distill"}
    assert isinstance(run.teacher, Attention)
    assert list(run.serial_calls().values()) == [0, 8]


def test_a_run_builds_no_teacher_that_it_does_not_need(tmp_path):
    for config in (BPTT, BASELINE):
        assert begin(tmp_path / config.stages[0].method, config).target_source is None


def test_weights_depend_on_the_seed_alone(tmp_path):
    torch.manual_seed(1)
    one = begin(tmp_path / "one").network.state_dict()
    torch.manual_seed(2)
    two = begin(tmp_path / "two").network.state_dict()
    other = begin(tmp_path / "other", replace(SMALL, seed=1)).network.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["empty"], other["empty"])


@pytest.mark.parametrize(
    ("budget", "steps"),
    [(Budget(tokens=9 * 32), 9), (Budget(tokens=9 * 32 - 1), 9), (Budget(steps=12), 12)],
)
def test_a_budget_in_tokens_or_steps(budget, steps, tmp_path):
    run = whole(tmp_path / "run", replace(SMALL, budget=budget))
    assert run.spent.step == steps
    assert run.spent.tokens == steps * 4 * 8


FOUR = replace(
    SMALL,
    stages=(
        Stage("teacher", 0.12, 1e-2), Stage("smt", 0.28, 1e-2), Stage("dmt", 0.3, 1e-2),
        Stage("bptt", 0.3, 1e-2),
    ),
)  # fmt: skip


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7])
def test_so_many_steps_are_taken_as_were_asked_for(steps, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "LOG_EVERY", 1)
    run = whole(tmp_path / "run", replace(FOUR, budget=Budget(steps=steps)))
    assert run.spent.step == steps
    trained = [row["stage"] for row in run.folder.metrics.read() if "loss" in row]
    assert len(trained) == steps
    assert [name for name in dict.fromkeys(trained)] == [
        stage.method
        for stage, budget in zip(run.config.stages, run.budgets, strict=True)
        if budget is not None
    ]
    if steps >= len(FOUR.stages):
        assert set(trained) == {"teacher", "smt", "dmt", "bptt"}
    assert run.folder.student.exists()


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_with_an_empty_stage_resumes(count, tmp_path):
    config = replace(FOUR, budget=Budget(steps=3))
    unbroken = whole(tmp_path / "unbroken", config)
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", config).train((), StopAfter(count))
    resumed = begin(tmp_path / "run", config, IfExists.RESUME)
    resumed.train((), never)
    assert resumed.spent.step == 3
    states = [run.network.state_dict() for run in (unbroken, resumed)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_budget_in_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "LOG_EVERY", 1)
    run = whole(tmp_path / "run", replace(SMALL, budget=Budget(seconds=0.3)))
    rows = run.folder.metrics.read()
    assert {row["stage"] for row in rows} == {"teacher", "smt", "dmt"}
    assert 0.3 <= run.spent.seconds < 3.0


def test_a_full_disk_under_the_metrics_is_said(tmp_path, monkeypatch):
    run = begin(tmp_path / "run")
    monkeypatch.setattr(run_module, "LOG_EVERY", 1)
    monkeypatch.setattr(type(run.folder.metrics.path), "open", no_space)
    with pytest.raises(UsageError, match=r"metrics.jsonl.*No space left"):
        run.train((), never)


@pytest.mark.parametrize("damage", ["empty", "truncated", "foreign", "of another run", "garbled"])
def test_a_bad_checkpoint_is_one_error(damage, tmp_path):
    run = whole(tmp_path / "run")
    path = run.folder.checkpoint
    whole_file = path.read_bytes()
    if damage == "of another run":
        other = replace(SMALL, student=replace(SMALL.student, width=6))
        whole_file = whole(tmp_path / "other", other).folder.checkpoint.read_bytes()
    contents = {
        "empty": b"",
        "truncated": whole_file[: len(whole_file) // 2],
        "foreign": run.folder.student.read_bytes(),
        "of another run": whole_file,
        "garbled": b"\x80" * 500,
    }
    path.write_bytes(contents[damage])
    with pytest.raises(UsageError, match=r"last.safetensors"):
        begin(tmp_path / "run", if_exists=IfExists.RESUME)


def test_another_config_is_refused(tmp_path):
    whole(tmp_path / "run")
    for other in (replace(SMALL, seed=3), replace(SMALL, fit=replace(SMALL.fit, clip=2.0))):
        with pytest.raises(UsageError, match=r"another (seed|fit)"):
            begin(tmp_path / "run", other, IfExists.RESUME)


def test_existing_things_stay_unless_the_user_says_so(tmp_path):
    folder = whole(tmp_path / "run").folder
    before = folder.student.read_bytes()
    with pytest.raises(UsageError, match="--resume"):
        begin(tmp_path / "run")
    assert folder.student.read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("years of work")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "config.json").write_text('{"model_type": "another program\'s"}')
    for name in ("mine", "file", "theirs"):
        with pytest.raises(UsageError, match="made by no run"):
            begin(tmp_path / name, if_exists=IfExists.OVERWRITE)
    assert (tmp_path / "mine" / "thesis.tex").exists()
    assert "another" in (tmp_path / "theirs" / "config.json").read_text()
    begin(tmp_path / "run", if_exists=IfExists.OVERWRITE)
    assert not folder.student.exists()


def test_the_config_survives_its_file(tmp_path):
    run = begin(tmp_path / "run")
    assert run.folder.read_config() == SMALL
    content = json.loads(run.folder.config.read_text())
    run.folder.config.write_text(json.dumps(content | {"later_version": 1}))
    with pytest.raises(UsageError, match="later_version"):
        run.folder.read_config()
