"""`Forecaster`: pandas in and out, saved and loaded, bad input."""

import pickle

import numpy as np
import pandas
import pytest
from sklearn.base import clone

import pastforward as pf
from pastforward.errors import UsageError

HOURS = pandas.date_range("2025-01-06", periods=400, freq="h")
LOAD = pandas.Series(np.sin(np.arange(400) / 24 * 2 * np.pi), index=HOURS, name="load")


@pytest.fixture(scope="module")
def model():
    return pf.Forecaster(horizon=12, steps=3, length=24, random_state=0).fit(LOAD)


def test_predict_goes_on_from_the_end(model):
    found = model.predict()
    assert list(found) == ["date", "column", "mean", "0.1", "0.5", "0.9"]
    assert found["date"].tolist() == pandas.date_range(HOURS[-1], periods=13, freq="h")[1:].tolist()
    assert set(found["column"]) == {"load"}
    other = model.predict(5, LOAD[:300], quantiles=(0.5,))
    assert other["date"].tolist() == HOURS[300:305].tolist()
    pandas.testing.assert_frame_equal(model.predict(), found)


def test_samples_and_backtest(model):
    assert model.sample(7, 9).shape == (9, 7, 1)
    found = model.backtest(stride=5)
    assert found.origins == len(range(360, 400 - 12 + 1, 5))
    assert found.scores["naive"].mase > found.scores["seasonal naive"].mase
    assert model.history_[0]["stage"] == "teacher"


def test_a_saved_model_predicts_alike(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    loaded = pf.Forecaster.load(tmp_path / "m.safetensors")
    pandas.testing.assert_frame_equal(loaded.predict(X=LOAD), model.predict())
    assert loaded.get_params()["horizon"] == 12
    for ask in (loaded.predict, loaded.backtest):
        with pytest.raises(UsageError, match="A loaded Forecaster has no data; give X"):
            ask()
    with pytest.raises(UsageError, match="was saved by Forecaster; give a file of a SequenceReg"):
        pf.SequenceRegressor.load(tmp_path / "m.safetensors")
    pandas.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).predict(), model.predict())
    assert clone(model).get_params() == model.get_params()


def test_arrays_and_several_columns():
    rows = np.random.default_rng(0).normal(size=(300, 2)).cumsum(0)
    model = pf.Forecaster(steps=2, length=16, random_state=0, method="bptt").fit(rows)
    found = model.predict(3)
    assert found["column"].tolist() == ["1"] * 3 + ["2"] * 3
    assert found["row"].tolist() == [300, 301, 302] * 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((3, 3, 3)), r"X has shape \(3, 3, 3\)"), (["a", "b"], "give numbers"),
        (np.arange(9.0), "9 rows long, too short for windows"),
    ],
)  # fmt: skip
def test_bad_input(given, said):
    with pytest.raises(UsageError, match=said):
        pf.Forecaster(steps=2).fit(given)


def test_other_columns_are_refused(model):
    with pytest.raises(UsageError, match="no column 'load'"):
        model.predict(X=LOAD.rename("other"))
    with pytest.raises(UsageError, match="looks back 48; give more rows"):
        model.predict(X=LOAD[:5])
