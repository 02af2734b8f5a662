"""Names, options that do not fit, the hub, and real files where a folder of them is at hand."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pastforward.config import DataConfig
from pastforward.data.codec import codec_from_json
from pastforward.data.opening import open_data, open_source
from pastforward.errors import UsageError


class FakeColumns(dict):
    column_names = property(list)


def fake_hub(monkeypatch, **splits):
    module = SimpleNamespace(load_dataset=lambda name: splits)
    monkeypatch.setitem(sys.modules, "datasets", module)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("digist", "no data 'digist', by path or by name; did you mean 'digits'"),
        ("xyzzy", "choose one of digits, pydoc, copy, reversed_copy, retrieval, .*, hf:NAME"),
        ("key_vales:128,pairs=8", "by path or by name; did you mean 'key_values'"),
        ("nowhere/data.txt", "no data 'nowhere/data.txt', .* check the path"),
        ("copy:many", "give one length, a number"),
        ("digits:32", "Length 32 was given for 'digits', whose sequences have 64 steps"),
        ("hf:", "give 'hf:NAME'"),
        ("", "no data '', by path or by name"),
        ("x" * 5000, "x' cannot be reached .File name too long.; check the path"),
        ("~no_such_user/x", "cannot be reached .* check the path"),
    ],
)
def test_unknown_data(name, said):
    with pytest.raises(UsageError, match=said):
        open_source(name)


def test_a_path_may_hold_commas(tmp_path):
    path = tmp_path / "notes, two=2"
    path.write_text("All happy families are alike. " * 40)
    assert open_source(str(path)).describe()["kind"] == "characters"


def test_one_length_only():
    assert open_source("copy:16", 16).signature.length == 16
    assert open_source("digits", 64).signature.length == 64
    with pytest.raises(UsageError, match="'copy:16' was given with length 8; give one length"):
        open_source("copy:16", 8)


@pytest.mark.parametrize("option", [{"pool": 2}, {"unit": "chars"}, {"columns": ("a",)}])
def test_options_that_would_be_ignored_are_refused(option):
    with pytest.raises(UsageError, match=f"^{next(iter(option))}=.*'digits', which has no use"):
        open_data(DataConfig("digits", **option))


def test_hub_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r"run pip install pastforward\[huggingface\]"):
        open_source("hf:some/set")


def test_hub_splits_and_columns(monkeypatch):
    part = FakeColumns(text=["ab" * 50, "ba" * 50], title=["t" * 200], rank=[1])
    fake_hub(monkeypatch, train=part, test=part)
    source = open_source("hf:some/set", 20)
    assert source.name == "hf:some/set"
    assert source.describe()["symbols"] == {"train": 201, "valid": 101, "test": 100}
    source = open_data(DataConfig("hf:some/set", columns=("title",), length=20))
    assert source.codec.characters == "t"
    with pytest.raises(UsageError, match="no column 'titel'; did you mean 'title'"):
        open_data(DataConfig("hf:some/set", columns=("titel",)))
    with pytest.raises(UsageError, match="'rank' of 'hf:some/set' holds no text"):
        open_data(DataConfig("hf:some/set", columns=("rank",)))
    with pytest.raises(UsageError, match="at most one column"):
        open_data(DataConfig("hf:some/set", columns=("text", "title")))


def test_hub_out_of_reach(monkeypatch):
    def load_dataset(name):
        raise ConnectionError("no route\nmore lines")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(UsageError, match=r"could not be loaded \(no route\); check"):
        open_source("hf:some/set")


@pytest.mark.parametrize("data", [{}, {"kind": "wav"}, {"kind": "text", "sizes": 3}])
def test_foreign_codecs(data):
    with pytest.raises(UsageError, match="is no codec"):
        codec_from_json(data)


def real(name: str) -> Path:
    folder = os.environ.get("PASTFORWARD_DATA")
    if not folder:
        pytest.skip("PASTFORWARD_DATA names no folder with mnist/, tinystories/ and the like")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"PASTFORWARD_DATA has no {name}")
    return path


def test_mnist():
    source = open_data(DataConfig(str(real("mnist")), pool=2))
    assert source.signature.length == 196
    assert source.describe()["sequences"] == {"train": 54000, "valid": 6000, "test": 10000}
    assert source.batch(0, 3, 8).y.max() == 15
    assert source.references()["unigram"] < source.references()["uniform"]


def test_tinystories():
    source = open_source(str(real("tinystories")))
    assert source.describe()["symbols"]["train"] == 4242163
    assert (
        "".join(map(source.codec.decode, source.batch(0, 0, 4).x.tolist())).isprintable() is False
    )


def test_tinyshakespeare():
    source = open_source(str(real("tinyshakespeare.txt")))
    assert source.codec.size == 65
    assert sum(source.describe()["symbols"].values()) == 1115394
    assert source.signature.length == 128
