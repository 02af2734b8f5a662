"""Classifier and regressor: they learn, predict, stream and are kept, on sequences of all forms."""

import inspect
import os
import pickle
import subprocess
import sys
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from spikes import QUICK, TEST, TRAIN, ragged, spikes

import pastforward as pf
from pastforward.errors import UsageError

BRIEF = QUICK | {"steps": 3}


@pytest.fixture(scope="module")
def classifier() -> pf.SequenceClassifier:
    return pf.SequenceClassifier(**QUICK).fit(TRAIN.X, TRAIN.half)


@pytest.fixture(scope="module")
def regressor() -> pf.SequenceRegressor:
    return pf.SequenceRegressor(**QUICK | {"steps": 100}).fit(TRAIN.X, TRAIN.height)


def brief(X, y, **changes) -> pf.SequenceClassifier:
    return pf.SequenceClassifier(**BRIEF | changes).fit(X, y)


def test_a_classifier_learns(classifier):
    assert classifier.score(TEST.X, TEST.half) > 0.95
    assert classifier.classes_.tolist() == ["early", "late"]
    chances = classifier.predict_proba(TEST.X)
    assert chances.shape == (200, 2)
    np.testing.assert_allclose(chances.sum(1), 1)
    likeliest = classifier.classes_[chances.argmax(1)]
    np.testing.assert_array_equal(classifier.predict(TEST.X), likeliest)


def test_a_regressor_learns(regressor):
    assert regressor.score(TEST.X, TEST.height) > 0.8
    assert regressor.predict(TEST.X).shape == (200,)


def test_a_teacher_comes_first_and_is_gone_in_the_end():
    stages = []

    class Stages(pf.Callback):
        def on_stage(self, name, number, of):
            stages.append(name)

    settings = QUICK | {"method": "smt+dmt", "steps": 20, "callbacks": [Stages()]}
    found = pf.SequenceClassifier(**settings).fit(TRAIN.X, TRAIN.half)
    assert stages[0] == "teacher"
    assert len(stages) >= 3
    assert list(dict.fromkeys(row["stage"] for row in found.history_)) == stages
    assert type(found.student_) is pf.Student
    assert not any(isinstance(value, pf.Teacher) for value in vars(found).values())
    np.testing.assert_allclose(found.predict_proba(TEST.X).sum(1), 1)


def test_several_numbers_are_predicted_at_once():
    y = np.stack([TRAIN.height, 100 - 10 * TRAIN.height], 1)
    found = pf.SequenceRegressor(**QUICK | {"steps": 80}).fit(TRAIN.X, y)
    predicted = found.predict(TEST.X)
    assert predicted.shape == (200, 2)
    assert found.score(TEST.X, np.stack([TEST.height, 100 - 10 * TEST.height], 1)) > 0.5
    assert abs(predicted[:, 1].mean() - 80) < 5


def test_as_many_numbers_as_steps_are_still_numbers_at_the_end():
    y = TRAIN.height[:, None] * np.linspace(-1, 1, 12)
    found = pf.SequenceRegressor(**QUICK | {"steps": 120}).fit(TRAIN.X, y)
    predicted = found.predict(TEST.X)
    assert predicted.shape == (200, 12)
    assert np.corrcoef(predicted[:, -1], TEST.height)[0, 1] > 0.5
    assert np.corrcoef(predicted[:, 0], TEST.height)[0, 1] < -0.5
    lists = pf.SequenceRegressor(**BRIEF).fit(ragged(TRAIN.X), y)
    assert lists.predict(spikes(3, length=7).X).shape == (3, 12)


def test_the_same_random_state_gives_the_same_results():
    one, same, other = (brief(TRAIN.X, TRAIN.half, random_state=n) for n in (0, 0, 1))
    chances = one.predict_proba(TEST.X)
    np.testing.assert_array_equal(same.predict_proba(TEST.X), chances)
    assert np.abs(other.predict_proba(TEST.X) - chances).max() > 1e-3


def test_nobodys_random_numbers_are_drawn():
    torch.manual_seed(0)
    np.random.seed(0)
    brief(TRAIN.X, TRAIN.half)
    drawn = torch.rand(1).item(), np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    assert drawn == (torch.rand(1).item(), np.random.rand())


@pytest.mark.parametrize("estimator", ["classifier", "regressor"])
def test_lists_of_several_lengths_are_predicted_as_one_by_one(estimator, request):
    found = request.getfixturevalue(estimator)
    answer = found.predict_proba if estimator == "classifier" else found.predict
    X = ragged(TEST.X[:40])
    assert len({len(row) for row in X}) > 5
    alone = np.concatenate([answer(row[None]) for row in X])
    np.testing.assert_allclose(answer(X), alone, atol=1e-5)
    assert np.abs(alone - answer(TEST.X[:40])).max() > 0.01


def test_lists_of_several_lengths_are_learned():
    X = ragged(TRAIN.X, least=8)
    late = np.array([row.argmax() >= 6 for row in X])
    found = pf.SequenceClassifier(**QUICK).fit(X, late)
    held = ragged(TEST.X, least=8, seed=1)
    assert found.score(held, np.array([row.argmax() >= 6 for row in held])) > 0.85
    assert found.classes_.dtype == bool
    assert not hasattr(found, "n_features_in_")


@pytest.mark.parametrize("estimator", ["classifier", "regressor"])
def test_a_stream_answers_as_if_the_sequence_ended_there(estimator, request):
    found = request.getfixturevalue(estimator)
    answer = found.predict_proba if estimator == "classifier" else found.predict
    stream = found.stream()
    for row in TEST.X[:2]:
        stream.reset()
        for t, step in enumerate(row):
            so_far = stream.push(step)
            np.testing.assert_allclose(so_far, answer(row[None, : t + 1])[0], atol=1e-5)
            assert stream.memory.shape == found.student_.start(1).shape


def test_channels_may_come_first():
    X = np.stack([TRAIN.X, TRAIN.X[:, ::-1]], 2)
    last = brief(X, TRAIN.half)
    first = brief(X.transpose(0, 2, 1), TRAIN.half, channels_first=True)
    chances = last.predict_proba(X)
    np.testing.assert_array_equal(first.predict_proba(X.transpose(0, 2, 1)), chances)
    rows = [row.T for row in X]
    np.testing.assert_array_equal(first.predict_proba(rows), chances)
    assert last.student_.signature.inputs == pf.Vectors(2)
    stream = last.stream()
    for step in X[0]:
        so_far = stream.push(step)
    np.testing.assert_allclose(so_far, chances[0], atol=1e-6)


def test_whole_numbers_are_symbols_unless_told_otherwise():
    X = np.random.default_rng(0).integers(0, 5, (60, 6))
    y = X[:, 0] > 2
    assert brief(X, y).student_.signature.inputs == pf.Tokens(5)
    assert brief(X.astype(np.uint8), y).student_.signature.inputs == pf.Tokens(5)
    assert brief(X, y, inputs=9).student_.signature.inputs == pf.Tokens(9)
    assert brief(X.astype(float), y, inputs="symbols").student_.signature.inputs == pf.Tokens(5)
    for changed, inputs in ((X, "vectors"), (X - 1, "auto"), (X / 2, "auto"), (X + 2**16, "auto")):
        assert brief(changed, y, inputs=inputs).student_.signature.inputs == pf.Vectors(1)


def test_symbols_are_learned_and_pushed_one_by_one():
    X = np.random.default_rng(0).integers(0, 4, (300, 6))
    y = np.array(["x", "y", "z", "w"])[X[:, 3]]
    found = pf.SequenceClassifier(**QUICK | {"steps": 100}).fit(X, y)
    assert found.score(X, y) > 0.9
    stream = found.stream()
    for symbol in X[0]:
        so_far = stream.push(symbol)
    np.testing.assert_allclose(so_far, found.predict_proba(X[:1])[0], atol=1e-6)
    with pytest.raises(UsageError, match="symbols from 4 to 4 where 0 to 3"):
        stream.push(4)


def test_units_of_the_data_do_not_matter():
    plain, scaled = (brief(X, TRAIN.half) for X in (TRAIN.X, 1000 * TRAIN.X - 5))
    np.testing.assert_allclose(
        scaled.predict_proba(1000 * TEST.X - 5), plain.predict_proba(TEST.X), atol=1e-4
    )
    y = 1e4 * TRAIN.height
    one, other = (pf.SequenceRegressor(**BRIEF).fit(TRAIN.X, v) for v in (TRAIN.height, y))
    np.testing.assert_allclose(other.predict(TEST.X), 1e4 * one.predict(TEST.X), rtol=1e-4)


def test_history_has_losses_of_all_stages(classifier):
    rows = classifier.history_
    assert rows[-1]["step"] == 40
    assert {row["stage"] for row in rows} == {"bptt"}
    held = [row["valid"] for row in rows if "valid" in row]
    assert len(held) == 20
    assert min(held) < held[0]


def test_rare_classes_are_never_held_out_whole():
    X = np.concatenate([TRAIN.X[:20], TRAIN.X[:1]])
    y = np.array(["often"] * 20 + ["once"])
    found = brief(X, y, validation_fraction=0.5)
    assert found.classes_.tolist() == ["often", "once"]
    assert found.predict_proba(X).shape == (21, 2)


def test_without_validation_all_sequences_are_trained_on():
    found = brief(TRAIN.X[:16], TRAIN.half[:16], validation_fraction=0.0)
    assert not [row for row in found.history_ if "valid" in row]
    last = found.history_[-1]
    assert last["step"] == 1 or last["stage"] == "bptt"


def test_balanced_weights_help_the_rare_class():
    rare = np.flatnonzero(TRAIN.half == "late")[:12]
    rows = np.concatenate([np.flatnonzero(TRAIN.half == "early"), rare])
    X, y = TRAIN.X[rows], TRAIN.half[rows]
    settings = QUICK | {"steps": 15, "validation_fraction": 0.0}
    found = [
        pf.SequenceClassifier(class_weight=weights, **settings).fit(X, y).predict(TEST.X)
        for weights in (None, "balanced")
    ]
    plain, balanced = ((guess[TEST.half == "late"] == "late").mean() for guess in found)
    assert balanced > plain + 0.1


def test_parameters_are_scikit_learns():
    settings = {"cell": "gru", "seconds": 5.0, "class_weight": "balanced"}
    one = pf.SequenceClassifier(**settings)
    assert {k: v for k, v in clone(one).get_params().items() if k in settings} == settings
    assert one.set_params(method="bptt").method == "bptt"
    names = inspect.signature(pf.SequenceClassifier).parameters.keys()
    assert names - inspect.signature(pf.SequenceRegressor).parameters.keys() == {"class_weight"}


def test_searches_pipelines_and_cross_validation_take_them():
    search = GridSearchCV(pf.SequenceClassifier(**BRIEF), {"cell": ["elman", "gru"]}, cv=2)
    search.fit(TRAIN.X[:60], TRAIN.half[:60])
    assert search.best_params_["cell"] in ("elman", "gru")
    assert search.predict(TEST.X).shape == (200,)
    enough = make_pipeline(StandardScaler(), pf.SequenceClassifier(**QUICK | {"steps": 30}))
    assert cross_val_score(enough, TRAIN.X, TRAIN.half, cv=2).min() > 0.6
    lists = cross_val_score(
        pf.SequenceRegressor(**BRIEF), ragged(TRAIN.X)[:40], TRAIN.height[:40], cv=2
    )
    assert lists.shape == (2,)
    assert np.isfinite(lists).all()


@pytest.mark.parametrize("estimator", ["classifier", "regressor"])
def test_a_saved_estimator_predicts_as_before(estimator, request, tmp_path):
    found = request.getfixturevalue(estimator)
    found.save(tmp_path / "kept.safetensors")
    loaded = type(found).load(tmp_path / "kept.safetensors")
    np.testing.assert_array_equal(loaded.predict(TEST.X), found.predict(TEST.X))
    assert loaded.get_params() == found.get_params()
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (
        tmp_path / "kept.safetensors"
    ).read_bytes()
    student, codec = pf.load_student(tmp_path / "kept.safetensors")
    assert codec == found.codec_
    assert student.signature == found.student_.signature


def test_classes_are_saved_with_their_type(tmp_path):
    for y in (np.array([3, 11, 7]), np.array(["b", "ä", "c d"]), np.array([True, False, True])):
        found = brief(TRAIN.X[:30], np.tile(y, 10), callbacks=(pf.Callback(),))
        found.save(tmp_path / "kept.safetensors")
        loaded = pf.SequenceClassifier.load(tmp_path / "kept.safetensors")
        np.testing.assert_array_equal(loaded.classes_, found.classes_)
        assert loaded.classes_.dtype == found.classes_.dtype
        assert loaded.callbacks == ()
        assert found.codec_.classes == tuple(map(str, found.classes_))


def test_files_of_others_are_refused(classifier, tmp_path):
    classifier.save(tmp_path / "kept.safetensors")
    with pytest.raises(UsageError, match="saved by SequenceClassifier; give a file of a Seq"):
        pf.SequenceRegressor.load(tmp_path / "kept.safetensors")
    with pytest.raises(UsageError, match="There is no student file"):
        pf.SequenceClassifier.load(tmp_path / "missing.safetensors")


def test_pickle_keeps_everything(classifier):
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(TEST.X), classifier.predict_proba(TEST.X))
    assert again.history_ == classifier.history_


def test_progress_is_shown_only_on_request(capsys, shown, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR")
    brief(TRAIN.X, TRAIN.half).predict(TEST.X)
    assert capsys.readouterr() == ("", "")
    brief(TRAIN.X, TRAIN.half, verbose=1).predict(TEST.X)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["stage 1 of 1: bptt"]
    assert not shown


def test_a_bar_is_shown_on_a_terminal_while_sequences_are_read(shown, capsys):
    brief(TRAIN.X, TRAIN.half).predict(TEST.X)
    assert not shown
    found = brief(TRAIN.X, TRAIN.half, verbose=1).predict(ragged(TEST.X))
    assert shown.pop("reading") == [len(found), len(found)]
    assert capsys.readouterr().out == ""


class _Begun(Exception):
    pass


class _StopAtOnce(pf.Callback):
    def on_stage(self, name, number, of):
        raise _Begun


@pytest.mark.parametrize(("dtype", "shape"), [("f4", ()), ("u1", ()), ("f4", (1,))])
def test_no_second_copy_of_the_arrays_is_made(dtype, shape):
    X = np.random.default_rng(0).integers(0, 200, (20_000, 784, *shape), np.uint8).astype(dtype)
    y = X.reshape(20_000, -1)[:, 0] > 100
    brief(TRAIN.X, TRAIN.half)  # what torch and scikit-learn keep from their first use
    tracemalloc.start()
    with pytest.raises(_Begun):
        brief(X, y, callbacks=[_StopAtOnce()])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.8 * X.nbytes


LARGE = """
import resource, sys, time
import numpy as np
import pastforward as pf

class Begun(pf.Callback):
    def on_stage(self, name, number, of):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(time.process_time() - began, (most - before) * 1024 / X.nbytes)
        sys.stdout.flush()
        sys.exit()

pf.SequenceClassifier(steps=1, random_state=0).fit(np.eye(20), np.arange(20) % 2)
X = np.zeros((20_000, 784, 1), np.float32) + np.arange(20_000, dtype=np.float32)[:, None, None]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.process_time()
pf.SequenceClassifier(steps=1, callbacks=[Begun()]).fit(X, np.arange(20_000) % 2)
"""


def test_a_large_array_is_not_copied_by_torch_either_and_training_begins_at_once():
    done = subprocess.run(
        [sys.executable, "-c", LARGE], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    seconds, copies = map(float, done.stdout.split())
    assert copies < 0.8  # tracemalloc sees nothing of what torch allocates
    assert seconds < 5


def test_every_parameter_is_described():
    for estimator in (pf.SequenceClassifier,):
        for name in inspect.signature(estimator).parameters:
            assert f"        {name}: " in (estimator.__doc__ or ""), name


def test_what_selects_is_what_fit_config_knows():
    assert "select" in {field.name for field in fields(pf.FitConfig)}
    assert brief(TRAIN.X, TRAIN.half, select="macro_f1").score(TEST.X, TEST.half) > 0
    with pytest.raises(UsageError, match="select is 'r2'"):
        brief(TRAIN.X, TRAIN.half, select="r2")


@pytest.mark.parametrize("name", ["predict", "predict_proba"])
def test_nothing_is_predicted_before_fit(name):
    with pytest.raises(NotFittedError):
        getattr(pf.SequenceClassifier(), name)(TEST.X)


def test_nothing_is_streamed_or_saved_before_fit(tmp_path):
    with pytest.raises(NotFittedError):
        pf.SequenceRegressor().stream()
    with pytest.raises(NotFittedError):
        pf.SequenceRegressor().save(tmp_path / "kept.safetensors")


X, HALF = TRAIN.X[:20], TRAIN.half[:20]
WITH_GAP = np.where(np.arange(12) == 3, np.nan, X)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((WITH_GAP, HALF), "NaN"),
        ((list(WITH_GAP), HALF), "Sequence 0 of X contains NaN or infinity"),
        (([*X[:19], X[0, :0]], HALF), r"Sequence 19 of X has shape \(0,\)"),
        (([*X[:19], X[:, :2]], HALF), r"steps of shapes \[\(\), \(2,\)\]"),
        ((X[:, :, None, None], HALF), r"X has shape \(20, 12, 1, 1\)"),
        ((np.zeros((20, 12, 0)), HALF), r"X has shape \(20, 12, 0\)"),
        ((X[0], HALF), "Reshape your data"),
        ((X, HALF[:19]), r"inconsistent numbers of samples: \[20, 19\]"),
        ((X, np.full(20, "one")), "y holds one class alone, 'one'"),
        ((X, np.linspace(0, 1, 20)), "Unknown label type"),
        ((X.astype(str), HALF), "could not convert|must be numeric|dtype"),
    ],
)
def test_bad_arrays_are_refused_before_training(given, message):
    with pytest.raises(ValueError, match=message):
        brief(*given)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"cell": "grv"}, "gru"),
        ({"method": "bpt"}, "did you mean 'bptt'"),
        ({"steps": 0}, "steps=0"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0"),
        ({"inputs": "words"}, "inputs is 'words'; give one of auto, symbols, vectors"),
        ({"inputs": "symbols"}, "not whole"),
        ({"device": "abacus"}, "device is 'abacus'"),
    ],
)
def test_bad_parameters_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        brief(X, HALF, **setting)


def test_other_inputs_than_in_training_are_refused(classifier):
    with pytest.raises(UsageError, match="2 channels were given where fit had 1"):
        classifier.predict(np.zeros((3, 12, 2)))
    with pytest.raises(UsageError, match="2 channels were given where fit had 1"):
        classifier.stream().push([0.0, 1.0])
    with pytest.raises(UsageError, match="give a finite number"):
        classifier.stream().push(np.nan)


def test_sequences_of_another_length_are_read(classifier):
    assert classifier.predict(spikes(3, length=7).X).shape == (3,)
