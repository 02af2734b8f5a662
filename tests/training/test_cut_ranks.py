"""DDP, FSDP2 and one process train alike; what ranks saved in parts, any number of them reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from cut_ranks import STEPS, go_on, in_two_parts
from small_runs import never

from pastforward.student_file import load_student
from pastforward.training.checkpoints import read_checkpoint
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()),
    reason="this torch was built without gloo",
)
SCRIPT = Path(__file__).with_name("cut_ranks.py")


def run(ranks: int, *words: object) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    done = subprocess.run(
        [*launch, str(ranks), str(SCRIPT), *map(str, words)], capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning" not in done.stderr, done.stderr[-3000:]


@pytest.fixture(scope="module")
def by_two_ranks(tmp_path_factory) -> Path:
    """Runs of two ranks: two to their end, one of them in two parts, and one that has begun."""
    folder = tmp_path_factory.mktemp("runs")
    plan = [
        ("ddp", "ddp", 99), ("fsdp", "fsdp", 99), ("broken", "fsdp", 3), ("broken", "fsdp", 99),
        ("moved", "fsdp", 3),
    ]  # fmt: skip
    run(2, *(word for place, mode, steps in plan for word in (folder / place, mode, steps)))
    return folder


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return load_student(folder.student)[0].state_dict()


def saved(folder: RunFolder) -> list[str]:
    return sorted(p.name for p in folder.shards.parent.iterdir() if p != folder.job)


def assert_close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """Within rounding that four stages of Muon and AdamW have made larger."""
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-5)


def test_ddp_fsdp2_and_one_process_train_alike(by_two_ranks, tmp_path):
    config, source = in_two_parts()
    alone = Trainer(config, RunFolder(tmp_path / "alone"), source)
    alone.folder.prepare(config, IfExists.REFUSE)
    alone.train((), never)
    expected = weights(alone.folder)
    begun = Trainer(config, RunFolder(tmp_path / "begun"), source).network.state_dict()
    assert max((begun[name] - expected[name]).abs().max() for name in expected) > 0.01
    for mode in ("ddp", "fsdp"):
        assert_close(weights(RunFolder(by_two_ranks / mode)), expected)


def test_a_run_cut_over_ranks_resumes_to_the_bit(by_two_ranks):
    found, facts = read_checkpoint(RunFolder(by_two_ranks / "broken"))
    expected, others = read_checkpoint(RunFolder(by_two_ranks / "fsdp"))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert facts["sequences"] == others["sequences"]


def test_2_to_1_to_4_ranks(by_two_ranks):
    """Every process checks that it holds its part of what was saved, to the bit."""
    folder = RunFolder(by_two_ranks / "moved")
    assert saved(folder) == ["last.json", "step-3-1"]
    assert len(list(folder.shards.parent.glob("step-3-1/*.safetensors"))) == 2
    go_on(folder.path, "fsdp", 2)
    assert saved(folder) == ["last.safetensors"]
    facts = read_checkpoint(folder)[1]
    # Two optimiser steps on one batch.
    assert (facts["number"], facts["progress"]["step"], facts["sequences"]) == (2, 2, 4)
    run(4, folder.path, "fsdp", 99)
    facts = read_checkpoint(folder)[1]
    assert facts["spent"]["step"] == STEPS
    assert len(list(folder.shards.parent.glob("step-*/*.safetensors"))) == 4
    assert all(tensor.isfinite().all() for tensor in weights(folder).values())
