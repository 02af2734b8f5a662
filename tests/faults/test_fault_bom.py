"""The mark of UTF-8 at the start of a file is no symbol of its text."""

import gzip

import pytest

from pastforward.data import DataConfig, TextConfig
from pastforward.data.codec import TextCodec
from pastforward.data.opening import open_data, open_source
from pastforward.data.text import text_source

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("name", ["t.txt", "t.txt.gz", "t"])
def test_in_a_file_alone(tmp_path, name):
    content = BOM + b"abc" * 900
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    source = open_source(str(tmp_path / name))
    assert source.codec == TextCodec("abc")
    assert sum(map(len, source.splits)) == 2700


@pytest.mark.parametrize("names", [["a.txt", "b.txt"], ["a.md", "b.md"], ["train.txt", "test.txt"]])
def test_in_a_folder(tmp_path, names):
    for name in names:
        (tmp_path / name).write_bytes(BOM + b"abc" * 900)
    assert open_source(str(tmp_path)).codec in (TextCodec("abc"), TextCodec("\nabc"))


@pytest.mark.parametrize("unit", ["bytes", "chars", "auto"])
def test_in_any_unit(tmp_path, unit):
    (tmp_path / "t.txt").write_bytes(BOM + "abé".encode() * 900)
    source = open_data(DataConfig(str(tmp_path / "t.txt"), 8, TextConfig(unit)))
    first = source.splits.train[:2].tolist()
    assert source.codec.decode(first) == "ab"
    assert text_source("t", [BOM + b"abc" * 900]).codec == TextCodec("abc")
