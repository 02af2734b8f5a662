"""Large text: on disk, read once, kept whole or not at all; sizes are lowered for the tests."""

import gzip
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pastforward.data import DataConfig, TextConfig, cache
from pastforward.data.cache import cache_folder, kept
from pastforward.data.mapped import release
from pastforward.data.opening import open_data
from pastforward.errors import UsageError
from pastforward.watching import shown_on

LINES = "".join(f"line {i:05d} of a text, é\n" for i in range(4000))


@pytest.fixture
def small(monkeypatch):
    """What is large begins at 10 kB."""
    for module in ("corpus", "documents"):
        monkeypatch.setattr(f"pastforward.data.{module}.LARGE", 10_000)
    monkeypatch.setattr("pastforward.data.text.ONCE", 30_000)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text(LINES, encoding="utf-8")
    return path


def opened(path, unit="auto", **options):
    return open_data(DataConfig(str(path), 20, TextConfig(unit, **options)))


def on_disk(values):
    while values is not None and not isinstance(values, np.memmap):
        values = getattr(values, "base", None)
    return values is not None


@pytest.mark.parametrize("unit", ["bytes", "chars"])
@pytest.mark.parametrize("end", [None, "\n"])
def test_large_text_reads_as_small_text_does(file, unit, end, monkeypatch):
    small = opened(file, unit, document_end=end)
    with monkeypatch.context() as patch:
        for module in ("corpus", "documents"):
            patch.setattr(f"pastforward.data.{module}.LARGE", 10_000)
        large = opened(file, unit, document_end=end)
    values = [s.splits.train if end is None else s.parts[0].values for s in (small, large)]
    assert on_disk(values[1])
    assert unit == "chars" or not on_disk(values[0])
    assert large.codec == small.codec
    for one, other in zip(small.batch(1, 2, 8), large.batch(1, 2, 8), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(*(s.held_out("test", 9, 50) for s in (small, large)), strict=True):
        assert torch.equal(one.x, other.x)
    assert small.references() == large.references()


def test_large_files_are_read_once(file, small, monkeypatch, shown):
    with shown_on():
        first = opened(file, "chars")
    assert {"reading text", "turning text into symbols"} <= shown.keys()
    assert all(total == done for total, done in shown.values())
    shown.clear()
    with shown_on():
        again = opened(file, "chars")
    assert not shown
    assert again.identity == first.identity
    file.write_text(LINES + "more\n", encoding="utf-8")
    assert opened(file, "chars").identity.checksum != first.identity.checksum


def test_large_text_in_tokens_is_made_into_them_as_read(file, small):
    pytest.importorskip("tokenizers", reason="needs pip install pastforward[tokens]")
    source = opened(file, "bpe:300", document_end="\n")
    assert source.describe()["bytes a token"] > 1.5
    assert "symbols" not in source.describe()
    assert opened(file, "bpe:300", document_end="\n").identity == source.identity
    once = opened(file, "bpe:300", document_end="\n", tokenise="once")
    assert "symbols" in once.describe()
    for split in ("valid", "test"):
        pairs = zip(*(s.held_out(split, 9, 60) for s in (source, once)), strict=True)
        assert all(torch.equal(a.y, b.y) for a, b in pairs)


def test_large_folders_and_packed_files(tmp_path, small):
    folder = tmp_path / "many"
    folder.mkdir()
    for place in range(40):
        (folder / f"{place:02d}.txt").write_text(LINES[place * 900 : place * 900 + 900])
    source = opened(folder, "bytes", document_end="")
    assert on_disk(source.parts[0].values)
    assert sum(source.describe()["documents"].values()) == 40
    joined = opened(folder, "bytes")
    assert bytes(joined.splits.train[:1000].tolist()).decode()[900:903] == "\n" + LINES[900:902]
    packed = tmp_path / "t.txt.gz"
    packed.write_bytes(gzip.compress(LINES.encode()))
    assert on_disk(opened(packed, "bytes").splits.train)
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(UsageError, match="damaged gzip"):
        opened(packed, "bytes")
    assert not list(cache_folder().rglob("*.part"))


def test_pages_that_were_read_are_let_go(file):
    values = np.memmap(file, np.uint8, "r")
    before = values[:100].tobytes()
    release(values[50:])
    assert values[:100].tobytes() == before


def test_an_entry_is_whole_or_not_there(monkeypatch):
    def fails(folder):
        (folder / "half").write_text("x")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        kept("things", {"a": 1}, fails)
    assert not [p for p in (cache_folder() / "things").iterdir() if p.is_dir()]
    found = kept("things", {"a": 1}, lambda folder: {"n": 3})
    assert kept("things", {"a": 1}, fails) == found
    (found.folder / "facts.json").write_text("{")
    with pytest.raises(UsageError, match="damaged; delete it"):
        kept("things", {"a": 1}, fails)


MAKE = """
import os, time
from pastforward.data.cache import kept
def write(folder):
    time.sleep(0.5)
    return {"by": os.getpid()}
print(kept("things", {"b": 2}, write).facts["by"])
"""


def test_two_processes_make_an_entry_once():
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", MAKE]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path})
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120)[0] for one in both]
    assert said[0] == said[1] != b""
    assert int(said[0]) in [one.pid for one in both]


def test_a_cache_that_cannot_be_written(file, small, monkeypatch, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    monkeypatch.setenv(cache.VARIABLE, str(blocked))
    with pytest.raises(UsageError, match="let PASTFORWARD_CACHE name a folder"):
        opened(file, "bytes")


def test_symbols_that_were_cut_off_are_refused(file, small):
    opened(file, "chars")
    (path,) = (cache_folder() / "symbols").rglob("0.bin")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UsageError, match="in the cache is damaged; delete it"):
        opened(file, "chars")
