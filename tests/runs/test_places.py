"""Which folders are runs."""

import pytest

from pastforward.errors import UsageError
from pastforward.runs.places import all_runs, find_runs


def test_exports_are_no_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "mine/hf"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    (tmp_path / "runs" / "mine" / "checkpoints").mkdir()
    assert [str(run.path) for run in all_runs()] == ["runs/mine"]
    with pytest.raises(UsageError) as told:
        find_runs("another")
    assert "mine" in str(told.value)
    assert "mine/hf" not in str(told.value)
