"""Labelled data from a file to its figures: `train`, `eval` and `compare` in a few steps."""

import json
import re

import numpy as np
import pytest
from command_line import QUICK, TINY, call, refused

from pastforward.data import LabelledConfig
from pastforward.data.labelled import labelled
from pastforward.runs.opening import Run
from pastforward.runs.request import TrainOptions
from pastforward.runs.training import Budget, train

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 6, 2)).astype(np.float32)
CHANGES = {"student.width": 8, "fit.batch": 4, "fit.evaluations": 1}


@pytest.fixture
def animals(here):
    y = np.array(["cat", "dog", "cow"])[X[:, 0, 0].argsort().argsort() % 3]
    np.savez(here / "animals.npz", x=X, y=y)
    return here


def test_train_and_eval_show_every_class(animals, capsys):
    words = ["animals.npz", "--method", "bptt", "--name", "zoo", "--fit.select", "macro_f1"]
    said = call(capsys, "train", *words, *QUICK, *TINY)
    assert said.code == 0
    assert re.search(r"classes: +cat 30, cow 30, dog 30", said.err)
    assert said.last == "Report: runs/zoo/report.html"
    for shown in ("balanced accuracy", "macro F1", "precision", "cow"):
        assert shown in said.out
    rows = (animals / "runs/zoo/metrics.jsonl").read_text().splitlines()
    assert any("valid_macro_f1" in row and '"valid"' in row for row in rows)
    page = (animals / "runs/zoo/report.html").read_text()
    for shown in ("Confusion matrix", "Learning: macro F1", "The true class as steps come in"):
        assert shown in page
    said = call(capsys, "eval", "zoo")
    assert said.code == 0
    assert "By class" in said.out
    found = json.loads(call(capsys, "eval", "zoo", "--json").out)["student"]["classes"]
    assert found["names"] == ["cat", "cow", "dog"]
    assert sum(map(sum, found["confusion"])) == sum(found["count"]) == 9
    assert {"balanced_accuracy", "macro_f1", "precision", "recall", "f1"} <= found.keys()


def test_bars_show_how_far_an_evaluation_is(animals, capsys, shown):
    words = ["animals.npz", "--method", "bptt", "--name", "zoo"]
    assert call(capsys, "train", *words, *QUICK, *TINY).code == 0
    assert shown.pop("evaluating") == [9, 9]
    assert call(capsys, "eval", "zoo", "--split", "valid", "--sequences", "5", "--json").code == 0
    assert shown["evaluating"] == [5, 5]


def test_a_metric_of_numbers_is_refused_in_one_line(animals, capsys):
    said = refused(capsys, "train", "animals.npz", "--fit.select", "r2", *QUICK, *TINY)
    assert "--fit.select is 'r2'" in said
    assert not (animals / "runs").exists()


def test_compare_shows_the_metric(animals, capsys):
    words = ["animals.npz", "--methods", "bptt", "--cells", "gru", "mlp", "--name", "two"]
    said = call(capsys, "compare", *words, "--fit.select", "balanced_accuracy", *QUICK, *TINY)
    assert said.code == 0
    assert "selected by" in said.out
    assert "balanced accuracy" in (animals / "runs/two/report.html").read_text()


def test_a_search_of_rates_goes_by_the_metric(animals, capsys):
    words = ["animals.npz", "--methods", "bptt", "--search", "--name", "searched"]
    said = call(capsys, "compare", *words, "--fit.select", "macro_f1", *QUICK, *TINY)
    assert said.code == 0
    assert "macro F1 0." in said.err
    (found,) = json.loads((animals / "runs/searched/rates.json").read_text())
    assert found["select"] == "macro_f1"
    values = {one["factor"]: one["valid"] for one in found["tried"]}
    assert values[found["factor"]] == max(values.values()) <= 1.0


def test_the_pinball_loss_has_its_own_name_everywhere(here, capsys):
    np.savez("waves.npz", x=X, y=X.sum(1))
    data = ["waves.npz", "--data.quantiles", "0.1", "0.5", "0.9"]
    commands = (
        ["train", *data, "--name", "one", *QUICK, *TINY],
        ["eval", "one"],
        ["doctor", "one"],
        ["analyse", "one"],
        ["list"],
        ["compare", *data, "--methods", "bptt", "smt", "--name", "two", *QUICK, *TINY],
        ["compare", *data, "--methods", "bptt", "--search", "--name", "three", *QUICK, *TINY],
    )
    texts = []
    for words in commands:
        said = call(capsys, *words)
        assert said.code == (words[0] == "doctor"), said.err
        texts.append(said.out + said.err)
    texts += [page.read_text() for page in here.rglob("*.html")]
    for text in texts:
        words = re.sub(r"data:image[^\"]*", "", text)
        assert not re.findall(r".{0,60}(?<!words of )\b(?:nats|bits)\b(?!; whether)", words)
        assert "pinball loss" in text
    found = json.loads(call(capsys, "eval", "one", "--json").out)
    assert found["student"]["unit"] == "pinball loss"
    assert found["student"]["bits"] is None is found["references"]["quantiles"]["bits"]


def trained(x, y, **options) -> Run:
    source = labelled(x, y, options=LabelledConfig(**options))
    what = TrainOptions(changes=CHANGES)
    return train(source, "smt", cell="gru", budget=Budget(steps=4), options=what, name="run")


@pytest.mark.parametrize(
    ("y", "options", "part", "shown"),
    [
        (X[:, -1, 0], {}, "numbers", "Predicted against true"),
        (X.sum(1), {"quantiles": (0.1, 0.5, 0.9)}, "numbers", "run: by output"),
        ((X.sum(1) > 0).astype(int), {"flags": True}, "classes", "run: by class"),
        ((X[..., 0] > 0).astype(int), {}, "classes", "Confusion matrix"),
    ],
    ids=["number", "quantiles", "flags", "every step"],
)
def test_every_kind_of_target_has_figures_and_a_page(here, y, options, part, shown):
    run = trained(X, y, **options)
    score = run.summary.evaluation["student"]
    assert score[part]
    assert {"classes": "numbers", "numbers": "classes"}[part] in score
    assert shown in run.report().read_text()
    if "quantiles" in options:
        assert len(score["numbers"]["mse_of"]) == 2
    if "flags" in options:
        assert score["accuracy"] == score["classes"]["accuracy"]
        assert score["classes"]["confusion"] is None


def test_figures_of_several_lengths_are_those_of_each_sequence_alone(here):
    x = [row[: 2 + n % 5] for n, row in enumerate(X)]
    run = trained(x, [str(int(row[0, 0] > 0)) for row in x])
    score = run.evaluate("valid", 1000).student
    right, confusion = [], np.zeros((2, 2), int)
    for batch in run.source.held_out("valid", 1, 1000):
        end = int(batch.mask[0].nonzero())
        said = run.student(batch.x[:, : end + 1])[0][0, -1].argmax()
        right.append(bool(said == batch.y[0, end]))
        confusion[int(batch.y[0, end]), int(said)] += 1
    assert score.classes is not None
    assert score.classes.confusion == confusion.tolist()
    assert score.accuracy == pytest.approx(np.mean(right))
