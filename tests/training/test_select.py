"""The best student by the metric that is named; nats are kept beside it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_runs import BPTT, StopAfter, never

from pastforward.analysis.labels import ClassMeter
from pastforward.analysis.meters import Score
from pastforward.data.labelled import labelled
from pastforward.errors import UsageError
from pastforward.methods.bptt import bptt
from pastforward.student_file import load_student
from pastforward.training import FitConfig
from pastforward.training import networks as selection
from pastforward.training.fit import FitContext, fit
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Interrupted, Trainer

TOLD = ((1.0, 0.2), (3.0, 0.9), (2.0, 0.5), (0.5, 0.9), (9.0, math.nan))
"""Loss and accuracy at each evaluation: the first loss is lower than the best accuracy's."""


def source():
    x = np.random.default_rng(0).normal(size=(60, 6))
    return labelled(x, np.where(x.sum(1) > 0, "up", "down"))


def config(select: str, evaluations: int = len(TOLD)):
    fit = replace(BPTT.fit, select=select, evaluations=evaluations)
    return replace(BPTT, fit=fit, budget=replace(BPTT.budget, steps=evaluations))


def begin(path, what, if_exists=IfExists.REFUSE):
    run = Trainer(what, RunFolder(path), source())
    run.folder.prepare(what, if_exists)
    if if_exists is IfExists.RESUME:
        run.restore()
    return run


@pytest.fixture
def seen(monkeypatch):
    states = []

    def told(student, batches, codec, shared):
        states.append({name: tensor.clone() for name, tensor in student.state_dict().items()})
        nats, accuracy = TOLD[len(states) - 1]
        return Score(nats, None, 0.0, accuracy, [])

    monkeypatch.setattr(selection, "quick_score", told)
    return states


@pytest.mark.parametrize("stop", [None, 2, 3])
@pytest.mark.parametrize(("select", "best"), [("loss", 3), ("accuracy", 1)])
def test_the_metric_chooses_before_and_after_a_stop(select, best, stop, seen, tmp_path):
    run = begin(tmp_path / "run", config(select))
    if stop is not None:
        with pytest.raises(Interrupted):
            run.train((), StopAfter(stop))
        run = begin(tmp_path / "run", config(select), IfExists.RESUME)
    run.train((), never)
    kept = load_student(run.folder.student)[0].state_dict()
    same = [all(torch.equal(state[name], kept[name]) for name in kept) for state in seen]
    assert same == [number == best for number in range(len(TOLD))]


def test_metrics_keep_nats_and_the_metric_beside_them(tmp_path):
    run = begin(tmp_path / "run", config("balanced_accuracy", 2))
    run.train((), never)
    rows = [row for row in run.folder.metrics.read() if "valid" in row]
    assert len(rows) == 2
    assert all(0.0 <= row["valid_balanced_accuracy"] <= 1.0 for row in rows)
    assert run.selection.latest == rows[-1]["valid_balanced_accuracy"]
    assert run.selection.best == -max(row["valid_balanced_accuracy"] for row in rows)


def test_a_stopped_run_is_bit_for_bit_the_whole_one(tmp_path):
    whole = begin(tmp_path / "whole", config("macro_f1"))
    whole.train((), never)
    stopped = begin(tmp_path / "stopped", config("macro_f1"))
    with pytest.raises(Interrupted):
        stopped.train((), StopAfter(2))
    again = begin(tmp_path / "stopped", config("macro_f1"), IfExists.RESUME)
    again.train((), never)
    states = [load_student(run.folder.student)[0].state_dict() for run in (whole, again)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert again.selection.facts() == whole.selection.facts()
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in run.folder.metrics.read()]
        for run in (whole, again)
    ]
    assert json.dumps(rows[0]) == json.dumps(rows[1])


@pytest.mark.parametrize("select", ["mse", "r2"])
def test_a_metric_of_other_outputs_is_refused(select, tmp_path):
    with pytest.raises(UsageError, match=f"'{select}'.*balanced_accuracy") as found:
        Trainer(config(select), RunFolder(tmp_path / "run"), source())
    assert "\n" not in str(found.value)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=r"--fit\.select is 'f2'"):
        FitConfig(select="f2")


def test_fit_refuses_it_too():
    data = source()
    student = selection.build_student(BPTT.student, data.signature)
    with pytest.raises(UsageError, match=r"--fit\.select is 'mae'"):
        fit(
            bptt(student), data, 1e-2, BPTT.budget, FitConfig(select="mae"),
            FitContext(validation=data),
        )  # fmt: skip


def test_labelled_data_is_validated_on_more_sequences(monkeypatch):
    counted = []
    add = ClassMeter.add

    def counting(self, predicted, y, mask):
        counted.append(int(mask.sum()))
        add(self, predicted, y, mask)

    monkeypatch.setattr(ClassMeter, "add", counting)
    x, y = np.random.default_rng(0).integers(3, size=(1200, 2)), np.arange(1200) % 2
    data = labelled(x[:9], y[:9], valid=(x, y), test=(x, y))
    student = selection.build_student(BPTT.student, data.signature)
    selection.Selection().evaluate(student, data)
    assert sum(counted) == selection.LABELLED_SEQUENCES == 1000
