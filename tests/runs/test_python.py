"""What Python users call: train, open_run, compare, label."""

import json
from pathlib import Path

import pytest

from pastforward.config import Budget
from pastforward.errors import UsageError
from pastforward.recipes import RECIPES
from pastforward.report.summary import RunSummary
from pastforward.runs.comparison.comparing import compare, open_comparison, plan
from pastforward.runs.comparison.request import CompareRequest
from pastforward.runs.labelling import LabelRequest, label
from pastforward.runs.opening import open_run
from pastforward.runs.request import TrainOptions, config_for, default_name
from pastforward.runs.training import train
from pastforward.student import Student
from pastforward.teacher.label_store import open_labels
from pastforward.teacher.teacher import Teacher
from pastforward.training.callbacks import Callback

CHANGES = {
    "fit.batch": 4, "fit.evaluations": 1, "student.slots": 2, "student.width": 8,
    "teacher.width": 16,
}  # fmt: skip
SMALL = TrainOptions(changes=CHANGES)
STEPS = Budget(steps=3)


class Steps(Callback):
    def __init__(self):
        self.stages, self.steps, self.ended = [], 0, False

    def on_stage(self, name, number, of):
        self.stages.append(name)

    def on_step(self, fit, terms, valid):
        self.steps += 1

    def on_end(self):
        self.ended = True


def test_train_and_all_that_a_run_can_do(here):
    told = Steps()
    options = TrainOptions(changes=CHANGES, callbacks=(told,))
    run = train("copy:8", name="one", budget=STEPS, seed=3, options=options)
    assert (told.steps, told.ended) == (3, True)
    assert run.path == Path("runs/one")
    assert run.finished
    assert run.config.seed == 3
    assert isinstance(run.student, Student)
    assert isinstance(run.teacher, Teacher)
    found = run.evaluate(sequences=16)
    kept = json.loads((run.path / "evaluation.json").read_text())
    assert kept["evaluation"]["student"]["nats"] == found.student.nats
    assert {"commit", "clean", "torch", "hardware", "threads", "date"} <= kept["facts"].keys()
    assert isinstance(run.summary, RunSummary)
    assert "predicted" in run.samples()
    assert run.report() == Path("runs/one/report.html")
    assert run.report(here / "page.html").exists()
    assert "one step" in {result.check for result in run.doctor(16)}
    assert run.analyse("lengths", sequences=16)["lengths"].lines
    with pytest.raises(UsageError, match="did you mean 'lengths'"):
        run.analyse("length")


def test_open_run_reads_nothing_but_the_config(here):
    train("copy:8", "bptt", name="one", budget=STEPS, options=SMALL)
    (here / "runs/one/student.safetensors").unlink()
    run = open_run("one")
    assert run.config.student.width == 8
    assert not run.finished
    with pytest.raises(UsageError, match="has no trained student yet"):
        run.student  # noqa: B018


def test_if_exists(here):
    train("copy:8", "bptt", name="one", budget=STEPS, options=SMALL)
    with pytest.raises(UsageError, match="already holds a run"):
        train("copy:8", "bptt", name="one", budget=STEPS, options=SMALL)
    resumed = train("copy:8", "bptt", name="one", budget=STEPS, if_exists="resume", options=SMALL)
    assert resumed.summary.facts["steps"] == 3
    with pytest.raises(UsageError, match="if_exists is 'resum'; did you mean 'resume'"):
        train("copy:8", "bptt", name="one", budget=STEPS, if_exists="resum", options=SMALL)
    other = train("copy:8", "bptt", name="one", budget=STEPS, seed=1, if_exists="overwrite",
                  options=SMALL)  # fmt: skip
    assert other.config.seed == 1


def test_a_config_is_trained_as_it_is(here):
    config = config_for("copy:8", "smt", "gru", SMALL)
    run = train(config, budget=STEPS)
    assert run.name == "copy8-teacher+smt"
    assert run.config.stages == config.stages


def test_a_baseline(here):
    run = train("copy:8", budget=STEPS, options=TrainOptions(network="mingru", changes=CHANGES))
    assert run.name == "copy8-mingru"
    assert open_run("copy8-mingru").evaluate(sequences=8).drift is None
    with pytest.raises(UsageError, match="holds a baseline, and `doctor` looks"):
        run.doctor()


def test_label_and_train_from_a_label_store(here):
    run = train("copy:8", name="one", budget=STEPS, options=SMALL)
    store = label(run, LabelRequest(sequences=8))
    assert store.folder == Path("runs/one/labels")
    options = TrainOptions(changes={"fit.batch": 4})
    student = train(open_labels(store.folder), cell="gru", budget=STEPS, options=options)
    assert student.name == "copy8-labels-gru"
    assert student.teacher is None


def test_compare(here):
    request = CompareRequest(methods=("bptt", "smt"), seeds=(0, 1), budget=STEPS, changes=CHANGES)
    assert len(plan(["copy:8"], request, "two").jobs) == 4
    found = compare(["copy:8"], request, name="two")
    assert {(row.strategy, row.seed, row.state) for row in found.rows} == {
        (method, seed, "finished") for method in ("bptt", "smt") for seed in (0, 1)
    }
    assert [line.finished for line in found.lines] == [2, 2]
    assert len(found.runs) == 4
    assert found.page.exists()
    assert {row.commit for row in found.rows} == {found.rows[0].commit}
    assert found.rows[0].torch
    again = open_comparison("two")
    assert again.rows == found.rows
    assert open_comparison("three") is None
    with pytest.raises(UsageError, match="No task was named"):
        compare([], request)


@pytest.mark.parametrize(
    ("what", "method", "options", "name"),
    [
        ("copy:32", None, TrainOptions(), "copy32-smt+dmt"),
        ("digits", "bptt", TrainOptions(), "digits-bptt"),
        ("digits", "my.methods:Mine", TrainOptions(), "digits-my.methods.Mine"),
        ("digits", None, TrainOptions(network="s4d"), "digits-s4d"),
    ],
)
def test_names_of_runs(what, method, options, name):
    config = config_for("digits", "bptt", None, options)
    assert default_name(what, method, config) == name


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"what": "digits", "cell": "gruu"}, "no cell 'gruu'; did you mean 'gru'"),
        ({"what": "digits", "cell": "s4d"}, "'s4d' is a baseline; give it as --network s4d"),
        ({"what": "digits", "method": "smtt"}, "no method 'smtt'"),
        ({"what": "digts"}, "no recipe or file 'digts'; did you mean 'digits'"),
        ({"what": "digits", "options": TrainOptions(network="s5")}, "no baseline 's5'"),
        ({"what": "digits", "options": TrainOptions(changes={"fit.bach": 3})}, "'fit.bach'"),
    ],
)
def test_what_can_not_be(asked, says):
    with pytest.raises(UsageError, match=says):
        config_for(**asked)


def test_a_config_keeps_its_own_method(here):
    config = RECIPES.load("copy32")("bptt", "gru")
    with pytest.raises(UsageError, match="has its own stages"):
        train(config, "smt", budget=STEPS)
