"""A run whose processes are killed, and started again by torchrun, is the run that never was."""

from pathlib import Path

import pytest
import torch.distributed as dist

from benchmarks.faults import killed_ranks
from benchmarks.faults.ranks import TRAIN, result, trained
from pastforward.cli.main import main

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()),
    reason="this torch was built without gloo",
)


def test_killed_ranks_change_nothing(tmp_path, monkeypatch, capsys):
    unbroken = trained(tmp_path / "unbroken", [])
    assert unbroken.returncode == 0, unbroken.stderr[-3000:]
    broken = trained(tmp_path / "broken", [[1, 5], [0, 5]])
    assert broken.returncode == 0, broken.stderr[-3000:]
    said = broken.stderr
    assert said.count("exitcode: ") == 2
    assert said.count("stage 2 of 3: smt") == 3  # killed there twice
    assert "Another process of this run has ended" in said
    assert "fault of pastforward" not in said
    assert "already holds a run" not in said
    expected = result(tmp_path / "unbroken")
    assert {"student.safetensors", "teacher.safetensors", "metrics.jsonl"} <= expected.keys()
    assert result(tmp_path / "broken") == expected

    # A run of another torchrun, or of none, is refused as ever, restarted or not.
    monkeypatch.chdir(tmp_path / "broken")
    monkeypatch.syspath_prepend(Path(killed_ranks.__file__).parent)
    for job in ("", "another"):
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", job)
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
        assert main([*TRAIN]) == 2
        assert "already holds a run" in capsys.readouterr().err
