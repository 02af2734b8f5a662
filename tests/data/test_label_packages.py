"""Labelled data sets of other packages, and recipes of MNIST."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from pastforward.data.label_files import FORMATS
from pastforward.data.opening import kind_of, open_data, open_source
from pastforward.errors import UsageError
from pastforward.recipes import RECIPES
from pastforward.recipes.resolve import resolve
from pastforward.types import Tokens, Vectors

pytest.importorskip("sktime")
pytest.importorskip("mnist1d")


@pytest.mark.parametrize(
    ("name", "channels", "classes", "longest", "sizes"),
    [
        ("japanese_vowels", 12, 9, 29, (270, 370)),
        ("acsf1", 1, 10, 1460, (100, 100)),
        ("mnist1d", 1, 10, 40, (4000, 1000)),
    ],
)
def test_sizes_are_those_published(name, channels, classes, longest, sizes):
    source = open_source(name)
    assert kind_of(name) == "labelled"
    assert source.signature.inputs == Vectors(channels)
    assert source.signature.outputs == Tokens(classes)
    assert source.signature.length == longest
    counts = source.describe()["sequences"]
    assert (counts["train"] + counts["valid"], counts["test"]) == sizes


def test_mnist1d_is_the_same_each_time():
    one, two = (open_source("mnist1d").batch(0, 0, 8) for _ in range(2))
    assert torch.equal(one.x, two.x)
    assert torch.equal(one.y, two.y)


def test_every_name_has_a_format():
    names = [name for row in FORMATS.values() for name in row.names]
    assert len(names) == len(set(names))
    assert {"acsf1", "plaid", "japanese_vowels", "mnist1d"} <= set(names)


@pytest.mark.parametrize("strategy", ["smt+dmt", "bptt"])
def test_a_name_is_a_recipe(strategy):
    config = resolve("japanese_vowels", strategy, "gru")
    assert config.data.source == "japanese_vowels"
    assert config.teacher.encoder == "fourier"
    assert config.student.cell == "gru"


def test_mnist_is_missed_in_one_line(monkeypatch, tmp_path):
    monkeypatch.delenv("PASTFORWARD_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("smnist14", "smnist", "psmnist"):
        data = RECIPES.load(name)("bptt", "gru").data
        said = r"train-images-idx3-ubyte.*PASTFORWARD_DATA names; nothing is downloaded"
        with pytest.raises(UsageError, match=rf"There is no data '\./mnist'.*{said}"):
            open_data(data)
    (tmp_path / "mnist").mkdir()
    with pytest.raises(UsageError, match=rf"'\./mnist' holds no labels .*{said}"):
        open_data(data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"'empty/' holds no labels .* give one of: digits"):
        open_data(replace(data, source="empty/"))


@pytest.mark.parametrize(("name", "length"), [("smnist14", 196), ("psmnist", 784)])
def test_recipes_of_mnist(name, length):
    if not os.path.isdir(os.path.join(os.environ.get("PASTFORWARD_DATA", ""), "mnist")):
        pytest.skip("neither ./mnist nor $PASTFORWARD_DATA/mnist is there")
    source = open_data(RECIPES.load(name)("smt+dmt", "mlp").data)
    assert source.signature.length == length
    x, y, mask = source.batch(0, 0, 4)
    assert x.max() <= 15
    assert np.array_equal(mask.sum(1), [1, 1, 1, 1])
    assert mask[:, -1].all()
    assert y[mask].max() <= 9
