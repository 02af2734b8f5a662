"""Data and labels at URLs, read from copies."""

import io
import sys

import numpy as np
import pytest

from pastforward.data import DataConfig
from pastforward.data.opening import is_named, kind_of, located, open_source
from pastforward.data.remote import is_url, local, refuse_url
from pastforward.errors import UsageError
from pastforward.runs.foreign import is_foreign_data

fsspec = pytest.importorskip("fsspec", reason="needs the extra pastforward[urls]")

TALE = "Once upon a time, and again, and again. " * 60


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PASTFORWARD_CACHE", str(tmp_path / "cache"))
    fsspec.filesystem("memory").rm("/", recursive=True)
    return tmp_path / "cache"


def put(url, content):
    with fsspec.open(url, "wb") as file:
        file.write(content)


def test_what_a_url_is():
    assert all(map(is_url, ("s3://b/a.txt", "memory://a.txt", "simplecache::s3://b/a", "hf://a/b")))
    names = ("memory:tale", "copy:32", "hf:name", "my_module:Name", "a/b.txt", "C:\\a", "//a/b", "")
    assert not any(map(is_url, names))
    assert not is_named("hf://datasets/a/b.csv")
    assert not is_foreign_data("s3://b/a.txt")


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_text_at_a_url_is_that_of_its_file(protocol, tmp_path):
    path = tmp_path / "tale.txt"
    path.write_text(TALE, encoding="utf-8")
    url = f"file://{path}" if protocol == "file" else "memory://books/tale.txt"
    put(url, TALE.encode())
    found, known = open_source(url, 32), open_source(str(path), 32)
    assert found.identity == known.identity
    assert all(map(np.array_equal, found.batch(0, 0, 2), known.batch(0, 0, 2)))
    assert located(DataConfig(url)).source == url


def test_tables_arrays_and_folders():
    rows = "\n".join(f"{n},{np.sin(n):.3f}" for n in range(400))
    put("memory://a/waves.csv", f"step,wave\n{rows}\n".encode())
    assert kind_of("memory://a/waves.csv") == "table"
    packed = io.BytesIO()
    np.savez(packed, x=np.zeros((20, 5, 2), np.float32), y=np.arange(20) % 2)
    put("memory://a/labelled.npz", packed.getvalue())
    assert kind_of("memory://a/labelled.npz") == "labelled"
    for name in ("one", "two"):
        put(f"memory://books/{name}.txt", TALE.encode())
    assert kind_of("memory://books") == "text"
    assert {path.name for path in local("memory://books").iterdir()} == {"one.txt", "two.txt"}


def test_a_copy_is_made_once_and_anew_where_the_file_has_changed(monkeypatch):
    put("memory://tale.txt", b"old")
    first = local("memory://tale.txt")
    with monkeypatch.context() as offline:
        offline.setattr(fsspec.filesystem("memory"), "get", None)
        assert local("memory://tale.txt") == first
    put("memory://tale.txt", b"newer")
    second = local("memory://tale.txt")
    assert (first.read_bytes(), second.read_bytes()) == (b"old", b"newer")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory://nowhere.txt", "'memory://nowhere.txt' can't be read .*FileNotFound.* check"),
        ("warp://a/b.txt", "can't be read .*warp.* package for its protocol"),
    ],
)
def test_a_url_that_cannot_be_read_is_one_sentence(url, said):
    with pytest.raises(UsageError, match=said) as told:
        open_source(url)
    assert "\n" not in str(told.value)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"pip install pastforward\[urls\]"):
        open_source("s3://bucket/tale.txt")


def test_nothing_is_written_to_a_url():
    with pytest.raises(UsageError, match="write to a folder and copy that"):
        refuse_url("s3://bucket/labels", "--out")
    refuse_url("runs/a/labels", "--out")
