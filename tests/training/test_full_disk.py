"""A disk that fills up at any moment of a run costs nothing that was saved before."""

import os

import pytest
import torch
from small_runs import StopAfter, begin, never, no_space, whole

from pastforward.errors import UsageError
from pastforward.student_file import load_student
from pastforward.training.folder import IfExists, load_tensors, save_tensors
from pastforward.training.trainer import Interrupted


def files(path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


class FullFrom:
    """`os.replace` until it was called so often; then there is no space left."""

    def __init__(self, calls: int) -> None:
        self.left, self.real = calls, os.replace

    def __call__(self, *places) -> None:
        if self.left == 0:
            no_space()
        self.left -= 1
        self.real(*places)


WRITES = ("after teacher", "after smt", "student", "teacher", "at the end")
"""What a run of three stages writes as a whole, in order, once it has its folder."""


@pytest.mark.parametrize("number", range(len(WRITES)), ids=WRITES)
def test_a_full_disk_is_said_and_the_run_goes_on_later(number, tmp_path, monkeypatch):
    expected = whole(tmp_path / "unbroken")
    run = begin(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", FullFrom(number))
        with pytest.raises(UsageError, match=r"could not be written \(No space left"):
            run.train((), never)
    left = files(run.folder.path)
    assert not any(name.endswith(".part") for name in left)
    assert run.folder.checkpoint.exists() == (number > 0)
    resumed = begin(tmp_path / "run", if_exists=IfExists.RESUME)
    assert resumed.number == min(number, 2)
    resumed.train((), never)
    for name, tensor in load_student(expected.folder.student)[0].state_dict().items():
        assert torch.equal(load_student(run.folder.student)[0].state_dict()[name], tensor)
    assert files(run.folder.path).keys() == files(expected.folder.path).keys()


def test_a_run_writes_no_more_than_that(tmp_path, monkeypatch):
    run, count = begin(tmp_path / "run"), FullFrom(100)
    monkeypatch.setattr(os, "replace", count)
    run.train((), never)
    assert 100 - count.left == len(WRITES)


def test_stopping_on_a_full_disk_keeps_what_was_saved(tmp_path, monkeypatch):
    run = begin(tmp_path / "run")
    with pytest.raises(Interrupted):
        run.train((), StopAfter(2))
    before = files(run.folder.path)
    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(UsageError, match=r"last.safetensors.*No space left.*free some space"):
        run.train((), StopAfter(1))
    assert files(run.folder.path) == before


def test_a_place_that_is_a_folder_is_said(tmp_path):
    (tmp_path / "last.safetensors").mkdir()
    with pytest.raises(UsageError, match="could not be written"):
        save_tensors(tmp_path / "last.safetensors", {"a": torch.ones(2)}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]


def test_tensors_and_facts_come_back(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3).T, "b": torch.tensor(7)}
    save_tensors(tmp_path / "x.safetensors", tensors, {"best": 0.5, "number": 3})
    found, facts = load_tensors(tmp_path / "x.safetensors")
    assert facts == {"best": 0.5, "number": 3}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
