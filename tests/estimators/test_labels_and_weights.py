"""Several labels at once, weights of sequences, quantiles, and what `history_` holds."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from spikes import QUICK, TEST, TRAIN, ragged

import pastforward as pf
from pastforward.errors import UsageError

BRIEF = QUICK | {"steps": 3}
LEVELS = (0.1, 0.5, 0.9)


def labels(part) -> np.ndarray:
    """Is the spike late, and is it high?"""
    return np.stack([part.half == "late", part.height > 2, part.height > 0], 1).astype(int)


@pytest.fixture(scope="module")
def several() -> pf.SequenceClassifier:
    return pf.SequenceClassifier(**QUICK | {"steps": 120}).fit(TRAIN.X, labels(TRAIN))


@pytest.fixture(scope="module")
def spread() -> pf.SequenceRegressor:
    found = pf.SequenceRegressor(quantiles=LEVELS, **QUICK | {"steps": 150})
    return found.fit(TRAIN.X, TRAIN.height)


def test_several_labels_are_predicted_at_once(several):
    chances, predicted = several.predict_proba(TEST.X), several.predict(TEST.X)
    assert chances.shape == predicted.shape == (200, 3)
    assert predicted.dtype.kind == "i"
    np.testing.assert_array_equal(predicted, chances > 0.5)
    right = predicted == labels(TEST)
    assert (right.mean(0) > 0.9).all()
    assert several.score(TEST.X, labels(TEST)) == right.all(1).mean()
    assert several.classes_.tolist() == [0, 1, 2]


def test_several_labels_are_streamed_saved_and_cross_validated(several, tmp_path):
    stream = several.stream()
    pushed = [stream.push(x) for x in TEST.X[0]][-1]
    np.testing.assert_allclose(pushed, several.predict_proba(TEST.X[:1])[0], atol=1e-5)
    several.save(tmp_path / "kept.safetensors")
    loaded = pf.SequenceClassifier.load(tmp_path / "kept.safetensors")
    np.testing.assert_array_equal(loaded.predict(TEST.X), several.predict(TEST.X))
    brief = pf.SequenceClassifier(**BRIEF)
    assert cross_val_score(brief, ragged(TRAIN.X)[:40], labels(TRAIN)[:40], cv=2).shape == (2,)


def test_as_many_labels_as_steps_are_labels_of_the_whole_sequence():
    y = (TRAIN.height[:, None] > np.linspace(1, 3, TRAIN.X.shape[1])).astype(bool)
    found = pf.SequenceClassifier(**BRIEF).fit(TRAIN.X, y)
    assert found.predict(TEST.X[:5, :7]).shape == (5, 12)


@pytest.mark.parametrize(
    ("y", "settings", "message"),
    [
        (labels(TRAIN) * 2, {}, "other values than 0 and 1, such as '2'"),
        (labels(TRAIN), {"class_weight": "balanced"}, "'balanced' for y of 3 labels at once"),
        (labels(TRAIN) + 0.5, {}, "Unknown label type"),
    ],
)
def test_other_arrays_of_labels_are_refused(y, settings, message):
    with pytest.raises(ValueError, match=message):
        pf.SequenceClassifier(**BRIEF | settings).fit(TRAIN.X, y)


def test_weights_decide_what_is_learned():
    rare = np.where(TRAIN.half == "late", 0.02, 1.0)
    settings = QUICK | {"steps": 15, "validation_fraction": 0.0}
    late = {}
    for name, weights in (("plain", None), ("early", rare), ("late", 1.02 - rare)):
        found = pf.SequenceClassifier(**settings).fit(TRAIN.X, TRAIN.half, weights)
        late[name] = (found.predict(TEST.X) == "late").mean()
    assert late["early"] < late["plain"] - 0.1 < late["plain"] + 0.1 < late["late"]


def test_weight_0_is_a_sequence_left_out():
    weights = np.r_[np.ones(200), np.zeros(200)]
    for X in (TRAIN.X, ragged(TRAIN.X)):
        weighed = pf.SequenceRegressor(**BRIEF).fit(X, TRAIN.height, weights)
        without = pf.SequenceRegressor(**BRIEF).fit(X[:200], TRAIN.height[:200])
        np.testing.assert_array_equal(weighed.predict(TEST.X), without.predict(TEST.X))


def test_equal_weights_change_nothing():
    X = ragged(TRAIN.X)
    plain = pf.SequenceClassifier(**BRIEF).fit(X, TRAIN.half)
    weighed = pf.SequenceClassifier(**BRIEF).fit(X, TRAIN.half, sample_weight=[3.0] * 400)
    np.testing.assert_array_equal(plain.predict_proba(X), weighed.predict_proba(X))


def test_scores_are_weighed(several, spread):
    weights = np.random.default_rng(0).uniform(0, 1, 200)
    right = (several.predict(TEST.X) == labels(TEST)).all(1)
    found = several.score(TEST.X, labels(TEST), sample_weight=weights)
    assert found == pytest.approx(np.average(right, weights=weights))
    assert spread.score(TEST.X, TEST.height, weights) != spread.score(TEST.X, TEST.height)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(399), r"sample_weight has shape \(399,\) and X 400 sequences"),
        (np.ones((400, 1)), "shape"),
        (np.r_[-1.0, np.ones(399)], "negative"),
        (np.zeros(400), "zero for every sequence"),
        (np.full(400, np.nan), "NaN"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        pf.SequenceClassifier(**BRIEF).fit(TRAIN.X, TRAIN.half, weights)


def test_quantiles_rise_and_cover(spread):
    found = spread.predict_quantiles(TEST.X)
    assert found.shape == (200, 3)
    assert (np.diff(found, axis=1) >= 0).all()
    np.testing.assert_array_equal(spread.predict(TEST.X), found[:, 1])
    below = (TEST.height[:, None] < found).mean(0)
    assert below[0] < 0.35 < below[1] < 0.7 < below[2]
    assert spread.score(TEST.X, TEST.height) > 0.6


def test_quantiles_of_several_numbers_are_in_their_units(tmp_path):
    y = np.stack([TRAIN.height, 100 - 10 * TRAIN.height], 1)
    found = pf.SequenceRegressor(quantiles=[0.2, 0.9], **QUICK | {"steps": 60}).fit(TRAIN.X, y)
    quantiles = found.predict_quantiles(ragged(TEST.X))
    assert quantiles.shape == (200, 2, 2)
    np.testing.assert_array_equal(found.predict(ragged(TEST.X)), quantiles[..., 0])
    assert 70 < quantiles[:, 1].mean() < 90
    found.save(tmp_path / "kept.safetensors")
    loaded = pf.SequenceRegressor.load(tmp_path / "kept.safetensors")
    np.testing.assert_array_equal(loaded.predict_quantiles(TEST.X), found.predict_quantiles(TEST.X))
    assert tuple(loaded.quantiles) == tuple(found.quantiles)


def test_quantiles_are_asked_for_first(spread):
    with pytest.raises(UsageError, match=r"give SequenceRegressor\(quantiles="):
        pf.SequenceRegressor(**BRIEF).fit(TRAIN.X, TRAIN.height).predict_quantiles(TEST.X)
    with pytest.raises(UsageError, match="give rising levels between 0 and 1"):
        clone(spread).set_params(quantiles=(0.9, 0.1)).fit(TRAIN.X, TRAIN.height)
    assert spread.stream().push(0.1).shape == ()


@pytest.mark.parametrize(
    ("estimator", "y", "select"),
    [
        (pf.SequenceClassifier, TRAIN.half, "macro_f1"),
        (pf.SequenceRegressor, TRAIN.height, "r2"),
    ],
)
def test_history_holds_the_metric_that_selects(estimator, y, select):
    told = []

    class Told(pf.Callback):
        def on_step(self, fit, terms, valid):
            told.append(valid)

    settings = QUICK | {"steps": 20, "callbacks": [Told()]}
    rows = estimator(select=select, **settings).fit(TRAIN.X, y).history_
    measured = [row for row in rows if "valid" in row]
    assert len(measured) == 20
    assert all({"loss", "valid", f"valid_{select}"} <= row.keys() for row in measured)
    assert [row[f"valid_{select}"] for row in measured] == told
    assert told[-1] != measured[-1]["valid"]
    plain = estimator(**QUICK).fit(TRAIN.X, y).history_
    assert not any(f"valid_{select}" in row for row in plain)
