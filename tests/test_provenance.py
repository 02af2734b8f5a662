"""Where a figure comes from: commit and changes of the checkout, versions, machine, date."""

import datetime
import json
import subprocess

import pytest
import torch

from pastforward import provenance
from pastforward.provenance import processor


def git(folder, *words: str) -> str:
    """Run git there, with an author."""
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    done = subprocess.run(
        ["git", *author, "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one commit, in the place of the package's source tree."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file.py").write_text("1")
    git(tmp_path, "add", "file.py")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)
    return tmp_path


def test_commit_and_clean_tree_of_a_checkout(checkout):
    found = provenance.provenance()
    assert found["commit"] == git(checkout, "rev-parse", "HEAD")
    assert found["clean"] is True


@pytest.mark.parametrize("changed", ["file.py", "new.py"])
def test_a_tree_with_changes_is_not_clean(changed, checkout):
    (checkout / changed).write_text("2")
    assert provenance.provenance()["clean"] is False


def test_rows_that_are_written_leave_it_clean(checkout):
    (checkout / "rows.jsonl").write_text("{}")
    assert provenance.provenance()["clean"] is True


def test_commit_is_unknown_where_there_is_no_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)
    found = provenance.provenance()
    assert (found["commit"], found["clean"]) == (None, None)


def test_a_folder_inside_another_repository_has_no_commit(checkout, monkeypatch):
    (checkout / "installed").mkdir()
    monkeypatch.setattr(provenance, "SOURCE", checkout / "installed")
    assert provenance.provenance()["commit"] is None


def test_commit_is_unknown_without_git(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = provenance.provenance()
    assert (found["commit"], found["clean"]) == (None, None)


def test_versions_machine_and_date():
    found = provenance.provenance()
    assert found.keys() == {"commit", "clean", "torch", "hardware", "threads", "date"}
    assert found["torch"] == torch.__version__
    assert found["threads"] == torch.get_num_threads()
    assert found["date"] == datetime.date.today().isoformat()
    assert processor() in found["hardware"]
    assert json.loads(json.dumps(found)) == found
