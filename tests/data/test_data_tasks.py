import pytest
import torch

from pastforward.data import open_source
from pastforward.types import Tokens, UsageError


def test_copy_by_brute_force():
    source = open_source("copy", 12)
    assert (source.signature.inputs, source.signature.outputs) == (Tokens(8), Tokens(8))
    x, y, mask = source.batch(0, 0, 50)
    for row, target, counts in zip(x.tolist(), y.tolist(), mask.tolist(), strict=True):
        assert row[:6] == row[6:]
        assert target == [*row[1:], 0]
        # 1-based t = T/2 .. T-1.
        assert [t for t in range(1, 13) if counts[t - 1]] == list(range(6, 12))
        assert [target[t - 1] for t in range(6, 12)] == row[:6]
    assert x.unique().tolist() == list(range(8))


def test_reversed_copy_by_brute_force():
    x, y, mask = open_source("reversed_copy", 12).batch(0, 0, 50)
    for row, target, counts in zip(x.tolist(), y.tolist(), mask.tolist(), strict=True):
        assert row[6:] == row[5::-1]
        assert target == [*row[1:], 0]
        assert [t for t in range(1, 13) if counts[t - 1]] == list(range(6, 12))
    assert any(row[:6] != row[6:] for row in x.tolist())


def test_retrieval_by_brute_force():
    source = open_source("retrieval", 9)
    assert (source.signature.inputs, source.signature.outputs) == (Tokens(17), Tokens(8))
    x, y, mask = source.batch(0, 0, 400)
    places = set()
    for row, target, counts in zip(x.tolist(), y.tolist(), mask.tolist(), strict=True):
        (place,) = [t for t, s in enumerate(row) if 8 <= s < 16]
        places.add(place)
        assert [t for t, s in enumerate(row) if s == 16] == [8]
        assert target == [0] * 8 + [row[place] - 8]
        assert counts == [False] * 8 + [True]
    assert places == set(range(7))


@pytest.mark.parametrize("name", ["copy:64", "reversed_copy:64", "retrieval:32"])
def test_held_out_sequences_never_occur_in_training(name):
    source = open_source(name)
    rows = {tuple(r) for i in range(20) for r in source.batch(0, i, 64).x.tolist()}
    held = [
        tuple(r) for s in ("valid", "test") for r in next(source.held_out(s, 99, 99)).x.tolist()
    ]
    assert len(set(held)) == len(held) == 198
    assert rows.isdisjoint(held)


def test_usual_lengths():
    assert open_source("copy").signature.length == 32
    assert open_source("reversed_copy").signature.length == 32
    assert open_source("retrieval").signature.length == 128


@pytest.mark.parametrize("name", ["copy:7", "copy:2", "retrieval:3", "copy:0", "reversed_copy:9"])
def test_impossible_lengths(name):
    task, length = name.split(":")
    with pytest.raises(UsageError, match=f"{task} task was given length {length}; give"):
        open_source(name)


def test_symbols_as_numbers():
    codec = open_source("retrieval").codec
    assert codec.decode([3, 16, 0]) == "3 16 0"
    assert codec.encode("3 16 0") == [3, 16, 0]
    assert codec.decode(torch.tensor([1, 2])) == "1 2"
    with pytest.raises(UsageError, match="'17' is no symbol; give numbers from 0 to 16"):
        codec.encode("1 17")
