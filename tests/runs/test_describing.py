"""What was understood of the data is said before training; once, and not by comparisons."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from pastforward.config import Budget
from pastforward.data import LabelledConfig
from pastforward.data.labelled import labelled
from pastforward.data.opening import open_source
from pastforward.runs.comparison.comparing import compare
from pastforward.runs.comparison.request import CompareRequest
from pastforward.runs.describing import data_lines
from pastforward.runs.request import TrainOptions
from pastforward.runs.training import Telling, train

RANDOM = np.random.default_rng(0)
SMALL = {"student.width": 8, "fit.batch": 4, "fit.evaluations": 2}


def said(source) -> dict[str, str]:
    return dict(re.split(r": +", line, maxsplit=1) for line in data_lines(source))


def test_classes_with_counts_lengths_and_splits():
    x = [RANDOM.normal(size=(3 + n % 4, 2)) for n in range(40)]
    found = said(labelled(x, ["cat", "dog", "cat", "cow"] * 10, name="pets"))
    assert found == {
        "data": "'pets', labelled",
        "sequences": found["sequences"],
        "inputs": "2 numbers, 3 to 6 steps, half of them up to 4",
        "outputs": "3 classes, at the end",
        "classes": "cat 20, cow 10, dog 10",
        "missing": "none",
    }
    counts = list(map(int, re.findall(r"\d+", found["sequences"])))
    assert sum(counts) == 40
    shown = re.sub(r"\d+", "N", found["sequences"])
    assert shown == "train N, valid N, test N; cut from the training sequences: valid, test"


def test_missing_values_are_counted():
    x = RANDOM.normal(size=(40, 5))
    x[3, 2] = x[4, 1] = np.nan
    source = labelled(x, ["a", "b"] * 20, options=LabelledConfig(missing="mean"))
    assert said(source)["missing"] == "2 values"


def test_of_many_classes_the_most_and_the_least_frequent():
    y = np.concatenate([np.repeat(np.arange(30), 4), [7] * 9])
    found = said(labelled(RANDOM.integers(3, size=(len(y), 4)), y))
    assert found["inputs"] == "3 symbols, 4 steps"
    assert found["classes"].startswith("30: 7 13, 0 4, ")
    assert found["classes"].endswith(" 4, ... 28 4, 29 4")


def test_numbers_at_every_step():
    x = RANDOM.normal(size=(40, 5))
    found = said(labelled(x, x * 2))
    assert found["outputs"] == "a number, one a step"
    assert "classes" not in found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits", {"inputs": "18 symbols, images of 8 x 8, 64 steps"}),
        ("copy:8", {"sequences": "train drawn as needed, valid 2,048, test 2,048"}),
    ],
)
def test_data_without_labels_too(name, expected):
    found = said(open_source(name))
    assert found | expected == found


def test_train_says_it_before_it_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = labelled(RANDOM.integers(3, size=(40, 4)), ["a", "b"] * 20, name="letters")
    told = io.StringIO()
    options = TrainOptions(console=Console(file=told, width=200), changes=SMALL)
    train(source, "bptt", cell="gru", budget=Budget(steps=2), options=options)
    text = told.getvalue()
    assert text.count("'letters', labelled") == 1
    assert text.index("classes:") < text.index("stage 1 of 1")


def test_a_comparison_does_not_say_it_for_every_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = io.StringIO()
    request = CompareRequest(methods=("bptt",), budget=Budget(steps=1))
    compare(["copy:8"], request, telling=Telling(console=Console(file=told, width=200)))
    assert "copy" in told.getvalue()
    assert "drawn as needed" not in told.getvalue()
