"""Labelled sequences from arrays: kinds, padding, splits, references, and no second copy."""

import json
import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pastforward.data import LabelledConfig
from pastforward.data.codec import (
    LabelCodec,
    SymbolCodec,
    TextCodec,
    codec_from_json,
    codec_to_json,
)
from pastforward.data.dividing import divide
from pastforward.data.labelled import LabelledSource, labelled
from pastforward.files import from_json, to_json
from pastforward.types import Batch, Flags, Quantiles, Signature, Tokens, Vectors

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, (50, 8, 2)).astype(np.float32)
CLASSES = np.array(["cat", "dog", "eel"])[np.arange(50) % 3]


def ragged(count: int, channels: int = 2, longest: int = 20) -> list[np.ndarray]:
    lengths = RNG.integers(1, longest + 1, count)
    return [RNG.normal(3, 2, (n, channels)).astype(np.float32) for n in lengths]


def everything(source: LabelledSource, split: str, size: int = 7) -> list[Batch]:
    return list(source.held_out(split, size, 10**9))


CASES = {
    "a class at the end": (CLASSES, Tokens(3), "classes, at the end"),
    "numbers of classes": (np.arange(50) % 4 + 7, Tokens(4), "classes, at the end"),
    "true or false": (np.arange(50) % 2 == 0, Tokens(2), "classes, at the end"),
    "one in a column": ((np.arange(50) % 4)[:, None], Tokens(4), "classes, at the end"),
    "a class a step": (RNG.integers(0, 3, (50, 8)), Tokens(3), "classes, one a step"),
    "a name a step": (CLASSES[RNG.integers(0, 3, (50, 8))], Tokens(3), "classes, one a step"),
    "a number at the end": (RNG.normal(5, 3, 50), Vectors(1), "numbers, at the end"),
    "numbers at the end": (RNG.normal(5, 3, (50, 3)), Vectors(3), "numbers, at the end"),
    "a number a step": (RNG.normal(5, 3, (50, 8)), Vectors(1), "numbers, one a step"),
    "numbers a step": (RNG.normal(5, 3, (50, 8, 2)), Vectors(2), "numbers, one a step"),
    "flags at the end": (RNG.integers(0, 2, (50, 3)), Flags(3), "flags, at the end"),
    "flags a step": (RNG.integers(0, 2, (50, 8, 3)) > 0, Flags(3), "flags, one a step"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_kinds_of_targets(case):
    y, kind, told = CASES[case]
    source = labelled(X, y)
    assert source.signature == Signature(Vectors(2), kind, 8)
    assert source.describe()["targets"] == told
    assert source.describe()["sequences"] == {"train": 40, "valid": 5, "test": 5}
    at = slice(None) if "step" in told else slice(7, 8)
    parts = zip(("train", "valid", "test"), source.parts, strict=True)
    found = {split: part.rows for split, part in parts}
    for batch, rows in zip(everything(source, "test"), [found["test"]], strict=True):
        expected = np.asarray(y)[rows]
        expected = expected[:, None] if at.start == 7 else expected
        assert batch.mask.sum() == batch.mask[:, at].sum() == len(rows) * (1 if at.start else 8)
        assert not batch.y[~batch.mask].any()
        outputs = batch.y[:, at].numpy()
        if isinstance(kind, Tokens):
            assert outputs.dtype == np.int64
            names = np.array(source.codec.classes)[outputs]
            assert (names == expected.reshape(names.shape).astype(str)).all()
        elif isinstance(kind, Flags):
            assert outputs.dtype == np.float32
            assert (outputs == expected.reshape(outputs.shape)).all()
        else:
            assert outputs.dtype == np.float32
            own = source.codec.decode(outputs)
            np.testing.assert_allclose(own, expected.reshape(own.shape), rtol=1e-4, atol=1e-4)


def test_x_is_standardised_by_its_training_part_and_decodes():
    source = labelled(X, CLASSES, test=(X[:9] + 100, CLASSES[:9]))
    codec, rows = source.codec.inputs, source.parts[0].rows
    np.testing.assert_allclose(codec.mean, X[rows].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(codec.std, X[rows].std((0, 1)), rtol=1e-5)
    (batch,) = everything(source, "test", 9)
    np.testing.assert_allclose(codec.decode(batch.x.numpy()), X[:9] + 100, rtol=1e-5)
    np.testing.assert_allclose(batch.x[2], source.codec.inputs_of(X[2] + 100), rtol=1e-6)


def test_symbols_and_text():
    symbols = RNG.integers(0, 6, (30, 5))
    source = labelled(symbols, np.arange(30) % 2)
    assert source.signature.inputs == Tokens(symbols.max() + 1)
    assert source.codec.inputs == SymbolCodec(int(symbols.max()) + 1)
    test = source.parts[2].rows
    assert (everything(source, "test")[0].x.numpy() == symbols[test]).all()
    texts = ["ab", "abc", "b", "cab"] * 6
    source = labelled(texts, ["x", "y", "y", "x"] * 6)
    assert source.codec.inputs == TextCodec("abc")
    shown = {
        (source.codec.inputs.decode(x[: mask.nonzero().max() + 1].tolist()), int(y[mask]))
        for batch in everything(source, "valid") for x, y, mask in zip(*batch, strict=True)
    }  # fmt: skip
    assert shown <= {("ab", 0), ("abc", 1), ("b", 1), ("cab", 0)}
    assert shown


def test_a_mask_says_what_counts_and_the_rest_may_be_anything():
    y = RNG.integers(0, 3, (50, 8))
    mask = RNG.random((50, 8)) < 0.4
    mask[:, 3] = True
    source = labelled(X, np.where(mask, y, -9), mask=mask)
    assert source.codec.classes == ("0", "1", "2")
    test = source.parts[2].rows
    (batch,) = everything(source, "test")
    assert (batch.mask.numpy() == mask[test]).all()
    assert (batch.y.numpy() == np.where(mask, y, 0)[test]).all()
    numbers = np.where(mask, y.astype(float), np.nan)
    source = labelled(X, numbers, mask=mask)
    assert torch.isfinite(everything(source, "test")[0].y).all()
    train = source.parts[0].rows
    assert source.codec.mean[0] == pytest.approx(y[train][mask[train]].mean())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=12, max_size=30), st.booleans(), st.data())
def test_padding_never_changes_the_real_part(lengths, every_step, data):
    random = np.random.default_rng(len(lengths))
    xs = [random.normal(size=(n, 2)) for n in lengths]
    ys = [random.integers(0, 2, n) for n in lengths] if every_step else np.arange(len(xs)) % 2
    if every_step:
        ys[0][:], ys[1][:] = 0, 1
    whole = (xs, ys)
    source = labelled(xs, ys, valid=whole, test=whole)
    size = data.draw(st.integers(1, 7))
    alone = {}
    for batch in everything(source, "test", size):
        for x, y, mask in zip(*batch, strict=True):
            steps = int(mask.nonzero().max()) + 1
            alone[x[:steps].numpy().tobytes()] = (x, y, mask, steps)
    assert len(alone) == len(xs)
    for i, one in enumerate(xs):
        read = source.codec.inputs_of(one)
        x, y, mask, steps = alone[read.tobytes()]
        assert steps == len(one)
        assert not x[steps:].any()
        assert mask[:steps].all() if every_step else mask.sum() == 1
        assert y[mask].tolist() == np.atleast_1d(ys[i]).tolist()


def test_lengths_and_lists_read_alike():
    xs = ragged(40)
    dense = np.full((40, 20, 2), 1e30, np.float32)  # what lies behind the end must not be read
    for row, one in zip(dense, xs, strict=True):
        row[: len(one)] = one
    y = np.arange(40) % 3
    one, other = labelled(xs, y), labelled(dense, y, lengths=[len(x) for x in xs])
    assert one.codec == other.codec
    assert one.signature == other.signature
    for index in range(20):
        for a, b in zip(one.batch(1, index, 4), other.batch(1, index, 4), strict=True):
            assert torch.equal(a, b)


def test_missing_values_become_means_where_that_is_asked_for():
    x = X.copy()
    x[3, 4, 1] = x[7, 0, 0] = np.nan
    source = labelled(x, CLASSES, options=LabelledConfig(missing="mean"))
    assert source.describe()["missing values"] == 2
    train = source.parts[0].rows
    means = np.nanmean(x[train], (0, 1)).tolist()
    assert source.codec.inputs.mean == pytest.approx(means, rel=1e-5)
    place = {int(row): i for i, row in enumerate(train)}
    assert 3 in place or 7 in place
    whole = [source.batch(0, i, 1) for i in range(len(train))]
    assert all(torch.isfinite(batch.x).all() for batch in whole)


def test_balanced_weights_have_mean_one_and_even_out_classes():
    y = np.repeat([0, 1, 2], [60, 25, 15])
    source = labelled(RNG.normal(size=(100, 4)), y, options=LabelledConfig(class_weight="balanced"))
    weights = np.array(source.signature.class_weights)
    counts = np.bincount(source.targets("train"))
    assert weights.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(weights * counts, (weights * counts)[0] * np.ones(3))


def test_references_of_flags_and_quantiles_by_brute_force():
    y = RNG.integers(0, 2, (60, 3))
    source = labelled(RNG.normal(size=(60, 4)), y)
    train, test = (y[source.parts[i].rows] for i in (0, 2))
    losses = [
        sum(math.log(len(train) + 2) - math.log((train[:, c] == v).sum() + 1)
            for c, v in enumerate(flags))
        for flags in test
    ]  # fmt: skip
    assert source.references()["unigram"] == pytest.approx(np.mean(losses))
    assert source.references()["uniform"] == pytest.approx(3 * math.log(2))
    numbers, levels = RNG.normal(2, 3, 60), (0.25, 0.5)
    source = labelled(RNG.normal(size=(60, 4)), numbers, options=LabelledConfig(quantiles=levels))
    assert source.signature.outputs == Quantiles(1, levels)
    standard = (numbers - source.codec.mean[0]) / source.codec.std[0]
    train, test = (standard[source.parts[i].rows] for i in (0, 2))
    found = []
    for level in levels:
        q = np.quantile(train, level)
        found += [level * (v - q) if v > q else (1 - level) * (q - v) for v in test]
    assert source.references()["quantiles"] == pytest.approx(np.mean(found), rel=1e-5)


def test_splits_are_disjoint_stratified_and_fixed():
    y = np.repeat(["a", "b", "c"], [100, 50, 20])
    x = RNG.normal(size=(170, 4))
    source, again = labelled(x, y), labelled(x, y)
    rows = [part.rows for part in source.parts]
    assert sorted(np.concatenate(rows)) == list(range(170))
    assert [r.tolist() for r in rows] == [part.rows.tolist() for part in again.parts]
    assert source.describe()["classes"] == {
        "a": {"train": 80, "valid": 10, "test": 10},
        "b": {"train": 40, "valid": 5, "test": 5},
        "c": {"train": 16, "valid": 2, "test": 2},
    }


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=2, max_size=8), st.integers(0, 2))
def test_every_class_stays_in_train(counts, held_out):
    strata = np.repeat(np.arange(len(counts)), counts)
    if len(strata) < len(counts) + held_out:
        return
    train, *others = divide("data", strata, held_out)
    assert set(strata[train]) == set(strata)
    assert sorted(np.concatenate([train, *others])) == list(range(len(strata)))
    assert all(len(rows) >= 1 for rows in others)


def test_every_class_of_steps_stays_in_train():
    y = np.zeros((30, 4), int)
    for rare in range(1, 9):
        y[rare * 3, 1] = rare
    source = labelled(RNG.normal(size=(30, 4)), y)
    assert set(source.targets("train")) == set(range(9))


def test_given_splits_are_taken_as_they_are():
    source = labelled(X, CLASSES, valid=(X[:7], CLASSES[:7]), test=(X[:3], CLASSES[:3]))
    assert source.describe()["sequences"] == {"train": 50, "valid": 7, "test": 3}
    assert source.describe()["splits"] == "as given"
    lengths = np.array([4, 8, 2])
    source = labelled(X, CLASSES, test=(X[:3], CLASSES[:3], None, lengths))
    ends = [step for batch in everything(source, "test") for step in batch.mask.nonzero()[:, 1]]
    assert sorted(map(int, ends)) == [1, 3, 7]


def test_no_second_copy_and_no_wait():
    x = np.zeros((4000, 784), np.float32)
    x[:, ::2] = 1.0
    y = np.arange(4000) % 10
    tracemalloc.start()
    source = labelled(x, y)
    source.batch(0, 0, 32)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * x.nbytes + 2**20  # chunks in float64, of 2^20 numbers
    assert source.parts[0].whole.x.arrays is x
    assert np.shares_memory(source.parts[2].whole.x.arrays, x)
    tracemalloc.start()
    source.batch(0, 1, 32)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 32 * 784


def test_memory_of_opening_does_not_grow_with_the_data():
    peaks = []
    for count in (8000, 32000):
        x, y = np.zeros((count, 400), np.float32), np.arange(count) % 10
        tracemalloc.start()
        labelled(x, y)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize("case", CASES)
def test_codec_signature_and_description_survive_json(case):
    options = LabelledConfig(class_weight="balanced" if CASES[case][1] == Tokens(3) else "none")
    source = labelled(X, CASES[case][0], options=options)
    assert isinstance(source.codec, LabelCodec)
    assert codec_from_json(json.loads(json.dumps(codec_to_json(source.codec)))) == source.codec
    read = json.loads(json.dumps(to_json(source.signature)))
    assert from_json(Signature, read) == source.signature
    assert json.loads(json.dumps(source.describe())) == source.describe()


SQUARE = {
    "numbers": (RNG.normal(size=(50, 8)), Vectors(8), Vectors(1)),
    "labels": (RNG.integers(0, 2, (50, 8)), Flags(8), Tokens(2)),
    "rows": (list(RNG.normal(size=(50, 8))), Vectors(8), Vectors(1)),
}


@pytest.mark.parametrize("case", SQUARE)
def test_as_many_targets_as_steps_stand_where_one_says(case):
    y, whole, each = SQUARE[case]
    end = labelled(X, y, options=LabelledConfig(at="end"))
    assert end.signature.outputs == whole
    assert end.describe()["targets"].endswith("at the end")
    for at in ("auto", "steps"):
        source = labelled(X, y, options=LabelledConfig(at=at))
        assert source.signature.outputs == each
        assert source.describe()["targets"].endswith("one a step")


def test_a_flag_at_each_step():
    y = RNG.integers(0, 2, (50, 8))
    assert labelled(X, y, options=LabelledConfig(flags=True)).signature.outputs == Flags(8)
    each = labelled(X, y, options=LabelledConfig(flags=True, at="steps"))
    assert each.signature.outputs == Flags(1)
    assert int(each.batch(0, 0, 4).mask.sum()) == 32


def test_lists_of_several_lengths_with_targets_at_the_end():
    x = [X[0][:n] for n in (2, 2, 2, 2, 2, 2, 2, 5)]
    y = np.arange(16).reshape(8, 2) / 3
    options = LabelledConfig(at="end")
    assert labelled(x, list(y), options=options).signature.outputs == Vectors(2)
