"""Memory follows the data: a text is read once, into about as many bytes as its file has."""

import gc
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from cli.command_line import QUICK

import pastforward as pf
from pastforward.cli.main import main
from pastforward.data import DataConfig, ImageConfig, TextConfig
from pastforward.data.opening import open_data, open_source
from pastforward.data.text import text_source
from pastforward.errors import UsageError
from pastforward.runs.comparison.request import CompareRequest, configs_for

MIB = 2**20
LINE = b"The quick brown fox jumps over the lazy dog, 0123456789.\n"


def peak_of(build):
    """The most that Python and NumPy held on the way, in bytes, and what was built."""
    gc.collect()
    tracemalloc.start()
    try:
        found = build()
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


def test_a_text_is_read_once_to_be_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "t.txt"
    path.write_bytes(LINE * 200)
    with counted_reads(monkeypatch) as reads:
        pf.train(path, "bptt", name="a", budget=pf.Budget(steps=2))
        assert reads == [str(path)]
        assert main(["train", "t.txt", *QUICK, "--method", "bptt", "--data.unit", "bytes"]) == 0
    assert reads == [str(path)] * 2


def test_a_comparison_plans_with_data_read_once_a_task(tmp_path, monkeypatch):
    for name in ("t.txt", "u.txt"):
        (tmp_path / name).write_bytes(LINE * 200)
    paths = [str(tmp_path / name) for name in ("t.txt", "u.txt")]
    with counted_reads(monkeypatch) as reads:
        configs_for(paths, CompareRequest(cells=("gru", "mlp"), methods=("bptt", "smt", "tbptt")))
    assert len(reads) <= 4


@contextmanager
def counted_reads(monkeypatch):
    """Paths whose whole content is read."""
    from pastforward.data import corpus

    whole, reads = corpus.read_bytes, []
    with monkeypatch.context() as patch:
        patch.setattr(corpus, "read_bytes", lambda path: reads.append(str(path)) or whole(path))
        yield reads


@pytest.mark.parametrize("unit", ["auto", "bytes", "chars"])
def test_ascii_text_takes_one_byte_a_symbol(tmp_path, unit):
    path = tmp_path / "t.txt"
    path.write_bytes(LINE * (16 * MIB // len(LINE)))
    size = path.stat().st_size
    peak, source = peak_of(lambda: open_data(DataConfig(str(path), options=TextConfig(unit))))
    assert peak < 1.5 * size + 4 * MIB
    assert source.splits.train.dtype == np.uint8
    peak, _ = peak_of(source.references)
    assert peak < 0.75 * size  # one portion of 2^20 as int64


@pytest.mark.parametrize(
    ("letters", "width"), [("éü东 ", 1), ("".join(map(chr, range(1000, 1300))), 2)]
)
def test_text_of_longer_characters_by_brute_force(letters, width):
    text = "".join(np.random.default_rng(0).choice(list(letters), 300_000))
    peak, source = peak_of(lambda: text_source("t", [text.encode()], TextConfig("chars"), 8))
    assert peak < (width + 0.5) * len(text) + 16 * MIB
    assert source.codec.characters == "".join(sorted(set(text)))
    codes = np.concatenate(source.splits)
    assert source.codec.decode(codes.tolist()) == text


def test_a_fault_far_in_is_placed(tmp_path):
    path = tmp_path / "t.txt"
    good = "é".encode() * (2 * MIB)
    path.write_bytes(good + b"\xc3x" + good)
    with pytest.raises(UsageError, match=rf"byte 0xc3 at {len(good)}\)"):
        open_source(str(path))
    path.write_bytes(good + b"\0" + good)
    with pytest.raises(UsageError, match=rf"a zero byte at {len(good)}\)"):
        open_source(str(path))
    path.write_bytes(good + b"\xc3")
    with pytest.raises(UsageError, match=rf"byte 0xc3 at {len(good)}\)"):
        open_source(str(path))


def test_a_folder_of_text_is_held_once(tmp_path):
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_bytes(LINE * (4 * MIB // len(LINE)))
    peak, source = peak_of(lambda: open_source(str(tmp_path)))
    assert peak < 1.6 * 16 * MIB
    assert sum(map(len, source.splits)) == 4 * (4 * MIB // len(LINE)) * len(LINE) + 3


def test_images_are_quantised_in_portions(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20_000, 28, 28), np.uint8)
    np.save(tmp_path / "i.npy", images)
    options = ImageConfig(16)
    peak, source = peak_of(lambda: open_data(DataConfig(str(tmp_path / "i.npy"), options=options)))
    assert peak < 2.5 * images.nbytes
    peak, _ = peak_of(source.references)
    assert peak < images.nbytes
