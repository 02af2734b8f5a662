"""`python benchmarks/gpu.py --smoke`: all parts of the GPU benchmark run, on whatever there is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"
PARTS = {"stream", "format", "step", "ratio", "labels", "loss"}


def run(*words: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "PASTFORWARD_DATA"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, timeout=240,
        env=environment | {"OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip


def test_smoke(tmp_path):
    done = run("--smoke", "--json", str(tmp_path / "gpu.json"))
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert {row["part"] for row in rows} >= PARTS
    assert not [row for row in rows if row["value"] is None]
    assert all(row["value"] > 0 and row["smoke"] and row["commit"] for row in rows)
    assert done.stdout.splitlines()[-1].endswith(f"figures: {tmp_path / 'gpu.json'}")


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is a GPU, and it would be used")
def test_without_a_gpu_it_says_so():
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "No GPU was found; give --smoke" in done.stderr
