"""Sequences of several lengths with a class at the end: labels, checks and analyses of a run."""

import json

import numpy as np
import pytest
from command_line import QUICK, TINY, call

from pastforward.runs.analyses import _ending_together
from pastforward.runs.opening import open_run

LENGTHS = np.random.default_rng(1).permutation(np.repeat([5, 9, 14], [40, 50, 30]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ragged")
    x = np.random.default_rng(0).normal(size=(120, 14, 2)).astype(np.float32)
    x[np.arange(14) >= LENGTHS[:, None]] = 0
    np.savez(folder / "ragged.npz", x=x, y=(x[:, 0, 0] > 0).astype(int), lengths=LENGTHS)
    return folder


@pytest.fixture
def ragged(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    if not (folder / "runs/run").exists():
        assert call(capsys, "train", "ragged.npz", "--name", "run", *QUICK, *TINY).code == 0
    return open_run("run")


def test_labels_are_written_and_learned_from(ragged, capsys):
    assert call(capsys, "label", "run", "--sequences", "50", "--overwrite").code == 0
    words = ["--labels", "runs/run/labels", "--cell", "gru", "--name", "student", "--overwrite"]
    said = call(capsys, "train", *words, *QUICK)
    assert said.code == 0, said.err
    found = open_run("student").evaluate().student
    assert found.classes is not None
    assert sum(found.classes.count) == 12


def test_the_doctor_looks_at_it(ragged, capsys):
    said = call(capsys, "doctor", "run", "--json")
    assert said.code in (0, 1), said.err
    assert "not finite" not in said.out


def test_analyses_are_made_or_refused_in_a_line(ragged, capsys):
    said = call(capsys, "analyse", "run", "--json")
    assert said.code == 0, said.err
    assert "lengths left out: Length 28 was given for '" in said.err
    gap = json.loads(said.out)["gap"]
    assert [row["steps"] for row in gap["after"]] == [0, 1, 2, 4, 8, 14]
    whole = ragged.evaluate().student.nats
    assert gap["alone"]["nats"] == pytest.approx(whole)


def test_credit_is_of_sequences_that_end_together(ragged):
    batch = _ending_together(ragged.source, 32)
    lengths = ragged.source.parts[2].lengths
    values, counts = np.unique(lengths, return_counts=True)
    assert counts.max() == len(batch.x) > 1
    assert batch.x.shape[1] in values[counts == counts.max()]
    assert batch.mask[:, -1].all()
    assert batch.mask.sum() == len(batch.x)
