"""Two processes that torchrun starts train as one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()),
    reason="this torch was built without gloo",
)

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*TORCHRUN, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def test_two_ranks_are_one_run(tmp_path):
    script = Path(__file__).with_name("two_ranks.py")
    done = run(str(script), str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_command_line_under_torchrun_speaks_once(tmp_path):
    options = ["train", "copy:8", "--steps", "4", "--fit.batch", "4", "--fit.evaluations", "1"]
    done = run("-m", "pastforward", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("Report: ") == 1
    assert done.stderr.count("stage 1 of 4") == 1
    assert (tmp_path / "runs" / "copy8-smt+dmt" / "report.html").exists()
