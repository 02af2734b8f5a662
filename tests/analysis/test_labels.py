"""Figures of labels against scikit-learn's, in batches of several lengths."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn

from pastforward.analysis.evaluate import evaluate, finite, quick_score
from pastforward.analysis.labels import (
    MOST_CLASSES,
    ClassMeter,
    FlagMeter,
    NumberMeter,
    label_meter,
    metrics_of,
)
from pastforward.analysis.metrics import METRICS, cost, figure
from pastforward.cells import StudentConfig
from pastforward.data.codec import LabelCodec, SymbolCodec
from pastforward.data.labelled import labelled
from pastforward.student import build_student
from pastforward.types import Flags, Quantiles, Tokens, Vectors

NAMES = ("a", "b", "c", "d")
LENGTHS = (5, 3, 8)


def ragged(draw):
    """Batches (predicted, y, mask) of several lengths, and all that counts, side by side."""
    random = torch.Generator().manual_seed(0)
    batches = []
    for length in LENGTHS:
        mask = torch.rand(6, length, generator=random) < 0.6
        batches.append((draw(random, length), draw(random, length), mask))
    predicted, true = (torch.cat([b[i][b[2]] for b in batches]).numpy() for i in (0, 1))
    return batches, predicted, true


def read(meter, batches):
    for batch in batches:
        meter.add(*batch)
    return meter.read()


def test_classes_as_scikit_learn_counts_them():
    batches, predicted, true = ragged(
        lambda random, length: torch.randint(7, (6, length), generator=random) // 2
    )
    found, labels = read(ClassMeter(NAMES), batches), range(4)
    expected = sklearn.precision_recall_fscore_support(true, predicted, labels=labels)
    assert found.confusion == sklearn.confusion_matrix(true, predicted, labels=labels).tolist()
    assert found.accuracy == pytest.approx(sklearn.accuracy_score(true, predicted))
    assert found.balanced_accuracy == pytest.approx(
        sklearn.balanced_accuracy_score(true, predicted)
    )
    assert found.macro_f1 == pytest.approx(sklearn.f1_score(true, predicted, average="macro"))
    assert found.majority == pytest.approx(np.bincount(true).max() / len(true))
    for own, theirs in zip((found.precision, found.recall, found.f1), expected[:3], strict=True):
        assert own == pytest.approx(theirs)
    assert found.count == expected[3].tolist()


def test_classes_that_never_occur_are_in_no_mean():
    y, predicted = torch.tensor([[0, 0, 1]]), torch.tensor([[0, 2, 2]])
    found = read(ClassMeter(NAMES), [(predicted, y, torch.ones(1, 3, dtype=torch.bool))])
    assert found.precision == [1.0, None, 0.0, None]
    assert found.recall == [0.5, 0.0, None, None]
    assert found.f1 == [pytest.approx(2 / 3), 0.0, 0.0, None]
    assert found.balanced_accuracy == 0.25
    assert found.macro_f1 == pytest.approx(2 / 9)


def test_many_classes_have_no_confusion_matrix():
    y, mask = torch.arange(MOST_CLASSES + 1)[None], torch.ones(1, MOST_CLASSES + 1).bool()
    found = read(ClassMeter(list(map(str, range(MOST_CLASSES + 1)))), [(y, y, mask)])
    assert found.confusion is None
    assert found.macro_f1 == 1.0


def test_flags_as_scikit_learn_counts_them():
    batches, predicted, true = ragged(
        lambda random, length: (torch.rand(6, length, 3, generator=random) < 0.4).float()
    )
    found = read(FlagMeter(NAMES[:3]), batches)
    expected = sklearn.precision_recall_fscore_support(true, predicted)
    for own, theirs in zip(
        (found.precision, found.recall, found.f1, found.count), expected, strict=True
    ):
        assert own == pytest.approx(theirs)
    assert found.macro_f1 == pytest.approx(sklearn.f1_score(true, predicted, average="macro"))
    balanced = [sklearn.balanced_accuracy_score(true[:, i], predicted[:, i]) for i in range(3)]
    assert found.balanced_accuracy == pytest.approx(np.mean(balanced))
    assert found.accuracy == pytest.approx((predicted == true).mean())
    share = true.mean(0)
    assert found.majority == pytest.approx(np.maximum(share, 1 - share).mean())


def test_numbers_as_scikit_learn_measures_them_in_the_unit_of_the_data():
    std = np.array([10.0, 0.5])
    batches, predicted, true = ragged(
        lambda random, length: torch.randn(6, length, 2, generator=random)
    )
    found = read(NumberMeter(tuple(std)), batches)
    predicted, true = predicted * std + 7, true * std + 7
    for name in ("mean_squared_error", "mean_absolute_error", "r2_score"):
        theirs = getattr(sklearn, name)(true, predicted, multioutput="raw_values")
        short = {"mean_squared_error": "mse", "mean_absolute_error": "mae", "r2_score": "r2"}[name]
        assert getattr(found, f"{short}_of") == pytest.approx(theirs, rel=1e-5)
        assert getattr(found, short) == pytest.approx(theirs.mean(), rel=1e-5)


def test_constant_numbers_have_no_r2():
    y = torch.ones(1, 3, 1)
    found = read(NumberMeter((2.0,)), [(y + 1, y, torch.ones(1, 3, dtype=torch.bool))])
    assert (found.mse, found.mae, found.r2) == (4.0, 2.0, None)


def test_data_without_labels_costs_nothing():
    assert label_meter(Tokens(4), SymbolCodec(4)) is None
    assert label_meter(Tokens(4), None) is None


@pytest.mark.parametrize(
    ("kind", "codec", "expected"),
    [
        (Tokens(4), SymbolCodec(4), ("loss", "accuracy")),
        (Vectors(4), SymbolCodec(4), ("loss",)),
        (Tokens(4), LabelCodec(SymbolCodec(4), NAMES), tuple(METRICS)[:4]),
        (Flags(4), LabelCodec(SymbolCodec(4), NAMES), tuple(METRICS)[:4]),
        (Vectors(1), LabelCodec(SymbolCodec(4), (), (0.0,), (1.0,)), ("loss", "mse", "mae", "r2")),
        (
            Quantiles(1, (0.5,)),
            LabelCodec(SymbolCodec(4), (), (0.0,), (1.0,)),
            ("loss", "mse", "mae", "r2"),
        ),
    ],
)
def test_which_metrics_outputs_have(kind, codec, expected):
    assert metrics_of(kind, codec) == expected


def test_the_cost_of_a_metric_is_lower_where_it_is_better():
    assert cost("accuracy", 0.9) < cost("accuracy", 0.8) < cost("accuracy", None)
    assert cost("mse", 0.1) < cost("mse", 0.2) < cost("mse", float("nan"))


def source_and_student(y, **shapes):
    x = np.random.default_rng(0).integers(3, size=(40, 6))
    source = labelled(x, y, **shapes)
    torch.manual_seed(0)
    return source, build_student(StudentConfig("gru", width=6, embed=3), source.signature)


def test_an_evaluation_has_them_as_json():
    source, student = source_and_student(np.arange(40) % 4)
    found = evaluate(student, None, source)
    score = json.loads(json.dumps(finite(found.to_json())))["student"]
    assert sum(map(sum, score["classes"]["confusion"])) == found.outputs == found.sequences == 4
    assert figure("accuracy", score) == score["accuracy"]
    assert figure("balanced_accuracy", score) == found.student.classes.balanced_accuracy
    assert figure("r2", score) is None
    again = quick_score(student, source.held_out("test", 3, 100), source.codec)
    assert asdict(again)["classes"] == asdict(found.student)["classes"]


def test_numbers_are_evaluated_in_their_unit():
    source, student = source_and_student(100.0 + 10.0 * np.arange(40))
    found = evaluate(student, None, source)
    rows = source.parts[2].rows
    batch = next(iter(source.held_out("test", 64, 64)))
    with torch.no_grad():
        predicted = student(batch.x)[0][:, -1, 0].double().numpy()
    predicted = predicted * source.codec.std[0] + source.codec.mean[0]
    assert found.student.numbers.mse == pytest.approx(
        sklearn.mean_squared_error(100.0 + 10.0 * rows, predicted), rel=1e-4
    )
    assert found.student.classes is None
    assert found.student.accuracy is None
