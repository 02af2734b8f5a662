"""A run whose processes are killed, and started again by torchrun, is the run that never was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from pastforward.cli.main import main
from pastforward.training.checkpoints import read_checkpoint
from pastforward.training.folder import RunFolder

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()),
    reason="this torch was built without gloo",
)

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TRAIN = ["train", "killed_ranks:Copies", "--name", "one", "--steps", "16", "--fit.batch", "4"]


def trained(folder: Path, **environment: str) -> tuple[RunFolder, str]:
    """Finished by two processes, of which torchrun starts new ones up to two times."""
    folder.mkdir()
    words = [*TORCHRUN, "--max-restarts", "2", "-m", "pastforward", *TRAIN]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path} | environment
    done = subprocess.run(
        [*words, "--fit.evaluations", "4"], cwd=folder, env=environment, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return RunFolder(folder / "runs" / "one"), done.stderr


def last(folder: RunFolder) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder)[0]


def of_student(folder: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(folder.student)


def of_teacher(folder: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(folder.teacher)


def rows(folder: RunFolder) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in folder.metrics.read()]


def test_killed_ranks_change_nothing(tmp_path, monkeypatch, capsys):
    unbroken, _ = trained(tmp_path / "unbroken")
    broken, said = trained(tmp_path / "broken", KILLS="yes")
    assert said.count("exitcode: ") == 2
    assert said.count("stage 2 of 3: smt") == 3  # killed there twice
    assert "Another process of this run has ended" in said
    assert "fault of pastforward" not in said
    assert "already holds a run" not in said
    for read in (last, of_student, of_teacher):
        found, expected = map(read, (broken, unbroken))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    left = sorted(path.name for path in broken.shards.parent.iterdir())
    assert left == ["job", "last.json", "step-16-3"]
    assert rows(broken) == rows(unbroken)
    one, other = (
        json.loads(run.evaluation.read_text())["evaluation"] for run in (broken, unbroken)
    )
    assert one["student"] == other["student"]

    # A run of another torchrun, or of none, is refused as ever, restarted or not.
    monkeypatch.chdir(tmp_path / "broken")
    monkeypatch.syspath_prepend(Path(__file__).parent)
    for job in ("", "another"):
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", job)
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
        assert main([*TRAIN, "--fit.evaluations", "4"]) == 2
        assert "already holds a run" in capsys.readouterr().err
