"""Files as a whole or not at all; dataclasses through JSON; tensors with facts."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

from pastforward.errors import UsageError
from pastforward.files import (
    checksum,
    from_json,
    pack_tensors,
    read_tensors,
    to_json,
    write_atomically,
    write_json,
)
from pastforward.types import Flags, Quantiles, Signature, Tokens, Vectors


@dataclass(frozen=True)
class Inner:
    names: tuple[str, ...] = ("a", "b")
    scale: float = 1.0


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    other: Inner | None = None
    count: int | None = None
    own: Any = None


def through(value: Any) -> Any:
    return json.loads(json.dumps(to_json(value)))


@pytest.mark.parametrize(
    "value",
    [
        Outer(),
        Outer(Inner((), float("inf")), Inner(("x",), 1e-300), 10**15),
        Outer(own={"a": [1, 2.5, None]}),
    ],
)
def test_dataclasses_survive_json(value):
    assert from_json(Outer, through(value)) == value


def test_dials_of_any_kind_become_plain_json():
    assert through(Outer(own=Inner()))["own"] == {"names": ["a", "b"], "scale": 1.0}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"wheels": 4}, "wheels"),
        ({"inner": {"scale": "wide"}}, "wide"),
        ({"inner": 3}, "."),
        ({"count": []}, "."),
        ([1], "."),
        (None, "."),
        ("text", "."),
    ],
)
def test_anything_else_is_a_value_error_of_one_line(value, says):
    with pytest.raises(ValueError, match=says) as told:
        from_json(Outer, value)
    assert "\n" not in str(told.value)


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "x"
    for content in (b"first", b"second, longer", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]
    write_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert checksum(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_what_was_there(failing, tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_atomically(path, b"before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(UsageError, match=r"x' could not be written \(No space left.*free some"):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"absent/x' could not be written \(No such file"):
        write_atomically(tmp_path / "absent" / "x", b"")
    with pytest.raises(UsageError, match="could not be written"):
        write_atomically(tmp_path, b"")


def test_tensors_and_facts_come_back(tmp_path):
    tied = nn.Linear(2, 2)
    tensors = {
        "turned": torch.arange(6.0).view(2, 3).T,
        "scalar": torch.tensor(7),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "one": tied.weight,
        "same": tied.weight,
    }
    path = tmp_path / "x"
    facts = {"facts": {"best": 0.5, "names": ["a"]}, "more": None}
    write_atomically(path, pack_tensors(tensors, facts))
    found, metadata = read_tensors(path)
    assert metadata == facts
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"x" * 500])
def test_what_is_no_file_of_tensors_is_a_value_error(content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_tensors(tmp_path / "x")
    with pytest.raises(OSError, match="absent"):
        read_tensors(tmp_path / "absent")


@pytest.mark.parametrize("outputs", [Tokens(3), Vectors(2), Flags(2), Quantiles(2, (0.1, 0.9))])
def test_kinds_of_the_same_fields_are_told_apart(outputs):
    written = json.loads(json.dumps(to_json(Signature(Vectors(2), outputs, 5))))
    assert from_json(Signature, written) == Signature(Vectors(2), outputs, 5)
    written["outputs"]["kind"] = "Colours"
    with pytest.raises(ValueError, match="Colours"):
        from_json(Signature, written)
