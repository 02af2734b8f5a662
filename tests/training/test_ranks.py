"""Two processes that torchrun starts train as one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from resumed_ranks import config, go_on

from pastforward.errors import UsageError
from pastforward.runs.opening import open_run
from pastforward.training import distributed
from pastforward.training.checkpoints import read_checkpoint
from pastforward.training.folder import IfExists, RunFolder

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
    """Weights and gradients, where outputs are many in some parts and few in others, too."""
    script = Path(__file__).with_name("two_ranks.py")
    done = run(str(script), str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


def read(path: Path, method: str, ranks: str) -> list[int]:
    return [int(line) for line in path.with_suffix(f".{method}.{ranks}").read_text().split()]


@pytest.fixture(scope="module")
def from_1_to_2_to_1_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for method in ("bptt", "dmt"):
        go_on(folder / method, method, 2, IfExists.REFUSE)
    script = Path(__file__).with_name("resumed_ranks.py")
    done = run(str(script), str(folder), "bptt", "dmt", cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    for method in ("bptt", "dmt"):
        go_on(folder / method, method, 1e9)
    return folder


@pytest.mark.parametrize(
    ("method", "alone", "first", "second"),
    [
        ("bptt", [0, 1, 10, 11, 12], [2, 4, 6, 8], [3, 5, 7, 9]),
        ("dmt", [0, 5, 6], [1, 3], [2, 4]),  # two optimiser steps a batch
    ],
)
def test_another_number_of_ranks_skips_and_repeats_nothing(
    method, alone, first, second, from_1_to_2_to_1_ranks
):
    path = from_1_to_2_to_1_ranks / method
    assert read(path, method, "1-0") == alone
    assert read(path, method, "2-0") == first
    assert read(path, method, "2-1") == second
    assert sorted(alone + first + second) == list(range(len(alone + first + second)))
    facts = read_checkpoint(RunFolder(path))[1]
    assert facts["progress"]["step"] == config(method).budget.steps
    assert facts["sequences"] == config(method).fit.batch * len(alone + first + second)


class Accelerators:
    """Two of a made-up machine."""

    def __init__(self, monkeypatch, rank: int) -> None:
        self.current, self.backend = 0, None
        for name, value in {
            "current_accelerator": lambda check_available=False: torch.device("cuda"),
            "device_count": lambda: 2,
            "set_device_index": lambda number: setattr(self, "current", number),
            "current_device_index": lambda: self.current,
        }.items():
            monkeypatch.setattr(torch.accelerator, name, value)
        monkeypatch.setattr(dist, "init_process_group", lambda name: setattr(self, "backend", name))
        monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT", raising=False)
        monkeypatch.setenv("WORLD_SIZE", "3")
        monkeypatch.setenv("MASTER_ADDR", "localhost")
        monkeypatch.setenv("MASTER_PORT", "1")
        for name in ("RANK", "LOCAL_RANK"):
            monkeypatch.setenv(name, str(rank))


def test_a_rank_works_on_its_own_device(monkeypatch):
    found = Accelerators(monkeypatch, rank=1)
    assert distributed.connect() == torch.device("cuda", 1)
    assert (found.current, found.backend) == (1, "cpu:gloo,cuda:nccl")


def test_restarted_ranks_read_no_addresses_of_those_before(monkeypatch):
    store = dist.HashStore()
    monkeypatch.setattr(distributed, "rendezvous", lambda url: iter([(store, 0, 1)]))
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "2")
    keys = []

    def joined(backend: str, store, rank: int, world_size: int) -> None:
        assert (rank, world_size) == (0, 1)
        keys.append(store.check(["0"]))
        store.set("0", "an address")

    monkeypatch.setattr(dist, "init_process_group", joined)
    for again in ("1", "2"):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", again)
        distributed._join("gloo")
    assert keys == [False, False]


def test_more_ranks_than_accelerators_are_refused(monkeypatch):
    found = Accelerators(monkeypatch, rank=2)
    with pytest.raises(UsageError, match=r"3 or more processes .* 2 accelerators; start one"):
        distributed.connect()
    assert found.backend is None


def test_the_command_line_under_torchrun_speaks_once(tmp_path):
    options = ["train", "copy:8", "--steps", "4", "--fit.batch", "4", "--fit.evaluations", "1"]
    done = run("-m", "pastforward", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("Report: ") == 1
    assert done.stderr.count("stage 1 of 4") == 1
    assert (tmp_path / "runs" / "copy8-smt+dmt" / "report.html").exists()


def test_ranks_share_the_last_evaluation(tmp_path):
    (tmp_path / "tale.txt").write_text("So it goes, on and on, again. " * 2000, encoding="utf-8")
    options = ["train", "tale.txt", "--steps", "4", "--fit.batch", "4", "--data.length", "16"]
    done = run("-m", "pastforward", *options, "--name", "tale", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = open_run(tmp_path / "runs" / "tale")
    shared, alone = found.summary.evaluation, found.evaluate().to_json()
    assert shared["sequences"] == alone["sequences"] > 64  # more than one batch
    for name in ("nats", "error", "bits_per_byte", "accuracy"):
        assert shared["student"][name] == pytest.approx(alone["student"][name], rel=1e-5)
    assert shared["collapse"]["targets"] == pytest.approx(alone["collapse"]["targets"], rel=1e-5)
