"""What labelled sequences can't be is said in one line that tells what to do."""

import re

import numpy as np
import pytest

from pastforward.data import LabelledConfig
from pastforward.data.labelled import labelled
from pastforward.errors import UsageError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 5, 2))
Y = np.arange(20) % 2
STEPS = RNG.integers(0, 2, (20, 5))
LISTED = [RNG.normal(size=(n, 2)) for n in (3, 4, 5, 2) * 5]


def changed(array, at, value):
    array = np.array(array, copy=True)
    array[at] = value
    return array


BAD = {
    "no sequences": (dict(x=[], y=[]), "x is empty; give at least one"),
    "no steps": (dict(x=np.zeros((20, 0)), y=Y), r"shape \(20, 0\); give numbers as \[N, T\]"),
    "one axis": (dict(x=np.zeros(20), y=Y), r"shape \(20,\); give numbers as \[N, T\]"),
    "an empty sequence": (
        dict(x=[*LISTED[:19], np.zeros((0, 2))], y=Y),
        r"Sequence 19 of x .* \(0, 2\)",
    ),
    "ragged channels": (
        dict(x=[*LISTED[:19], np.zeros((3, 1))], y=Y),
        r"sequence 19 \(3, 1\); give",
    ),
    "ragged steps": (dict(x=[[[1.0, 2.0], [3.0]]] * 20, y=Y), "Sequence 0 of x is ragged"),
    "objects": (dict(x=np.array([[None] * 5] * 20), y=Y), "x is an array of object"),
    "objects listed": (
        dict(x=[np.array([None, 1])] * 20, y=Y),
        "Sequence 0 of x is an array of obj",
    ),
    "complex": (dict(x=X + 1j, y=Y), "x holds complex128; give numbers"),
    "NaN": (dict(x=changed(X, (7, 3, 1), np.nan), y=Y), "nan in sequence 7, step 3, channel 1"),
    "NaN listed": (
        dict(x=[*LISTED[:6], changed(LISTED[6], (4, 0), np.nan), *LISTED[7:]], y=Y),
        "nan in sequence 6, step 4, channel 0, .* --data.missing mean",
    ),
    "infinite": (
        dict(x=changed(X, (9, 0, 0), -np.inf), y=Y, options=LabelledConfig(missing="mean")),
        "-inf in sequence 9, step 0",
    ),
    "infinite as float32": (
        dict(x=changed(X.astype(np.float32), (9, 0, 0), np.inf), y=Y),
        "inf in sequence 9, step 0",
    ),
    "negative symbols": (dict(x=STEPS - 1, y=Y), "integers from -1 to 0; give symbols from 0"),
    "too many symbols": (dict(x=STEPS * 10**6, y=Y), "to 1000000; .* or floats for numbers"),
    "other N": (dict(x=X, y=Y[:19]), "x holds 20 sequences and y 19 targets"),
    "lengths beyond T": (dict(x=X, y=Y, lengths=[5] * 19 + [6]), "sequence 19 of x is 6; .* T = 5"),
    "length zero": (dict(x=X, y=Y, lengths=[5] * 18 + [0, 5]), "sequence 18 of x is 0; .* from 1"),
    "other lengths": (dict(x=X, y=Y, lengths=[5] * 19), r"shape \(19,\); give 20 whole numbers"),
    "lengths in halves": (dict(x=X, y=Y, lengths=[2.5] * 20), "lengths of x are .* float64"),
    "lengths of a list": (dict(x=LISTED, y=Y, lengths=[2] * 20), "lengths was given beside a list"),
    "mask of another shape": (dict(x=X, y=STEPS, mask=np.ones((20, 4), bool)), "mask"),
    "mask of the end": (dict(x=X, y=Y, mask=STEPS > -1), "one target a sequence; give lengths"),
    "mask of none": (
        dict(x=X, y=STEPS, mask=changed(np.ones((20, 5), bool), 4, False)),
        r"sequence \[4\] .* no True",
    ),
    "mask of twos": (dict(x=X, y=STEPS, mask=STEPS * 2), "mask holds other values than True and"),
    "one class": (dict(x=X, y=Y * 0), "are of the class '0'; give sequences of two classes"),
    "a class a sequence": (dict(x=X, y=np.arange(20)), "20 classes and only 20 sequences"),
    "a class of test alone": (
        dict(x=X, y=np.array(["up", "down"])[Y], test=(X[:2], ["up", "dwon"])),
        "test y has the class 'dwon', which no training sequence has; did you mean 'down'",
    ),
    "a class of valid alone": (dict(x=X, y=Y, valid=(X[:2], [0, 2])), "valid y has the class '2'"),
    "other kinds of y": (
        dict(x=X, y=Y, test=(X[:2], [0.5, 1.5])),
        "test y is .* float64 at the end",
    ),
    "names and numbers": (dict(x=X, y=Y, test=(X[:2], ["0", "1"])), "test y is 1 of <U1"),
    "other channels of test": (
        dict(x=X, y=Y, test=(X[:2, :, :1], Y[:2])),
        r"test x .* \(1,\) a step",
    ),
    "NaN in y": (dict(x=X, y=changed(Y.astype(float), 3, np.nan)), "y holds nan in sequence 3"),
    "NaN in a step of y": (
        dict(x=X, y=changed(STEPS.astype(float), (3, 2), np.nan)),
        "nan in sequence 3, step 2",
    ),
    "NaN in test y": (dict(x=X, y=Y * 1.5, test=(X[:2], [1, np.nan])), "test y holds nan"),
    "y of other steps": (
        dict(x=LISTED, y=[np.zeros(len(x) + (i == 4)) for i, x in enumerate(LISTED)]),
        "y of sequence 4 has 4 targets and its x 3 steps",
    ),
    "y of dates": (dict(x=X, y=Y.astype("datetime64[D]")), "array of datetime64"),
    "several classes": (
        dict(x=X, y=STEPS[:, :3] + 1),
        "several values a target, such as '2'; give",
    ),
    "flags of names": (
        dict(x=X, y=np.array(["a", "b"])[Y], options=LabelledConfig(flags=True)),
        "several values a target, such as 'b'",
    ),
    "quantiles of classes": (
        dict(x=X, y=Y, options=LabelledConfig(quantiles=(0.5,))),
        "targets are classes; leave",
    ),
    "weights of numbers": (
        dict(x=X, y=Y * 1.5, options=LabelledConfig(class_weight="balanced")),
        "targets are numbers, not classes",
    ),
    "no target a step": (
        dict(x=X, y=Y, options=LabelledConfig(at="steps")),
        r"shape \(.*,\) for .* asked for at all steps; give \[N, T\]",
    ),
    "targets of several lengths at the end": (
        dict(x=LISTED, y=[np.zeros(len(x)) for x in LISTED], options=LabelledConfig(at="end")),
        "y has other numbers of targets",
    ),
    "a class a step at the end": (
        dict(x=X, y=STEPS[..., None], options=LabelledConfig(at="end")),
        r"give \[N\], \[N, C\]",
    ),
    "too few to split": (dict(x=X[:4], y=[0, 0, 1, 2]), "training needs 3 .* give 2 more"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays(case):
    given, said = BAD[case]
    with pytest.raises(UsageError, match=said) as error:
        labelled(**given)
    assert "\n" not in str(error.value)
    assert re.search(r"; |leave it out", str(error.value))


@pytest.mark.parametrize(
    ("dials", "said"),
    [
        ({"class_weight": "balancd"}, "--data.class-weight is 'balancd'; did you mean 'balanced'"),
        ({"missing": "zero"}, "--data.missing is 'zero'; choose one of refuse, mean"),
        ({"quantiles": (0.9, 0.1)}, r"--data.quantiles is \(0.9, 0.1\); give rising levels"),
        ({"quantiles": (0.0, 0.5)}, "give rising levels between 0 and 1"),
        ({"at": "step"}, "--data.at is 'step'; did you mean 'steps'"),
        ({"levels": 1}, "--data.levels asks for 1 grey levels"),
        ({"pool": 0}, "--data.pool is 0"),
        ({"permute": -1}, "--data.permute is -1"),
    ],
)
def test_bad_options(dials, said):
    with pytest.raises(UsageError, match=said):
        LabelledConfig(**dials)
