"""`compare` as a grid: planned, searched, two at a time, stopped, gone on with, reported."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import TINY, call, refused

import pastforward.training.trainer as trainer_module
from pastforward.errors import NonFiniteLoss
from pastforward.runs.comparison.grid import SEARCH_SEED
from pastforward.training.folder import RunFolder

SHORT = ["--steps", "2", "--fit.batch", "4", "--fit.evaluations", "1", *TINY]
WORDS = [
    "compare", "copy", "--lengths", "8", "12", "--methods", "bptt", "smt", "--name", "grid", *SHORT,
]  # fmt: skip
SEARCHED = [
    "compare", "copy", "--lengths", "8", "--methods", "bptt", "--seeds", "0", "1", "--search",
    "--factors", "1", "3", "--name", "grid", *SHORT,
]  # fmt: skip
FOLDERS = [f"copy{T}/mlp/{strategy}/seed0" for T in (8, 12) for strategy in ("bptt", "smt")]
LINUX = pytest.mark.skipif(not Path("/proc").exists(), reason="processes are seen in /proc")
GRID = Path("runs") / "grid"


def results(root=GRID):
    return json.loads((root / "results.json").read_text())["rows"]


def students(root=GRID):
    return {str(p.parent.relative_to(root)): p for p in root.rglob("student.safetensors")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished grid that was searched, two at a time, by the real command."""
    folder = tmp_path_factory.mktemp("grid")
    done = subprocess.run(
        [sys.executable, "-m", "pastforward", *SEARCHED, "--jobs", "2"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done


def test_two_at_a_time(finished):
    folder, done = finished
    root = folder / GRID
    assert "before them 2 runs of 1 optimiser steps to find rates" in done.stderr
    assert "4 of 4" in done.stderr
    assert done.stdout.rstrip().splitlines()[-1] == "Report: runs/grid/report.html"
    rows = results(root)
    assert [row["folder"] for row in rows] == ["copy8/mlp/bptt/seed0", "copy8/mlp/bptt/seed1"]
    for row in rows:
        assert row["state"] == "finished"
        assert (row["threads"], row["steps"], row["tokens"]) == (1, 2, 2 * 4 * row["T"])
        assert row["calls"] == 2 * row["T"]


def test_the_rates_that_won_are_those_of_the_runs(finished):
    root = finished[0] / GRID
    (rate,) = json.loads((root / "rates.json").read_text())
    for row in results(root):
        assert (rate["task"], rate["seed"]) == (row["task"], SEARCH_SEED)
        best = min(rate["tried"], key=lambda tried: tried["valid"])
        assert rate["factor"] == best["factor"]
        assert row["lr"] == [pytest.approx(1e-3 * rate["factor"])]
        for tried in rate["tried"]:
            place = root / "rates" / Path(row["folder"]).parent / f"x{tried['factor']:g}"
            metrics = RunFolder(place).metrics.read()
            assert tried["valid"] == min(r["valid"] for r in metrics if "valid" in r)


def test_one_at_a_time_gives_the_same_students(finished, here, capsys):
    assert call(capsys, *SEARCHED).code == 0
    one, other = students(finished[0] / GRID), students()
    assert one.keys() == other.keys()
    assert len(one) == 4
    for name, path in one.items():
        assert path.read_bytes() == other[name].read_bytes(), name


def test_plan_says_how_much_and_writes_nothing(here, capsys):
    words = [*WORDS, "--seeds", "0", "1", "2", "--search", "--plan"]
    said = call(capsys, *words)
    assert (said.code, said.err) == (0, "")
    assert "12 runs of 2 optimiser steps: tasks copy:8 copy:12, cell mlp" in said.out
    assert "before them 12 runs" in said.out
    budget = ["--seconds", "60", "--plan"]
    shown = call(capsys, "compare", "copy", "--lengths", "8", *budget, "--jobs", "3").out
    assert "3 runs of 60 s" in shown
    assert "time: about 60 s, and evaluation; 3 at a time" in shown
    assert not list(here.iterdir())


def test_a_stopped_grid_is_reported_and_goes_on(here, capsys, monkeypatch):
    left, real = 6, trainer_module.Trainer._step

    def step(run):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return real(run)

    assert call(capsys, *WORDS[:-4], *TINY, "--name", "whole").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "_step", step)
        said = call(capsys, *WORDS)
    assert said.code == 130
    command = shlex.split(said.err.splitlines()[-1].partition("go on with: ")[2])
    assert [row["state"] for row in results()].count("finished") == 2

    said = call(capsys, "report", "grid")
    assert (said.code, said.last) == (0, "Report: runs/grid/report.html")
    assert "2 finished, 1 under way, 1 not begun" in (GRID / "report.html").read_text()
    before = {name: path.stat().st_mtime_ns for name, path in students().items()}

    said = call(capsys, *command[1:])
    assert said.code == 0
    assert f"runs/grid/{FOLDERS[0]} is finished." in said.err
    assert "2 of them are there already" in said.err
    after = students()
    assert sorted(after) == sorted(FOLDERS)
    for name, modified in before.items():
        assert after[name].stat().st_mtime_ns == modified
    for name, path in students(Path("runs") / "whole").items():
        assert after[name].read_bytes() == path.read_bytes()


@LINUX
def test_ctrl_c_stops_all_workers(here):
    words = [*WORDS, "--steps", "10000000", "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pastforward", *words], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(begun()) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = children(process.pid)
    assert len(workers) == 2, process.communicate()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert err.splitlines()[-1].startswith("pastforward: stopped and saved; go on with: ")
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]
    for folder in begun():
        assert folder.checkpoint.exists()
        assert not folder.student.exists()


@LINUX
def test_workers_save_and_stop_when_nobody_waits_for_them(here):
    words = [*WORDS, "--steps", "10000000", "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pastforward", *words], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(begun()) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = children(process.pid)
    process.kill()
    process.wait()
    assert len(workers) == 2
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, workers))
    assert all(folder.checkpoint.exists() for folder in begun())


def begun() -> list[RunFolder]:
    """Runs that have taken steps."""
    return [RunFolder(path.parent) for path in GRID.rglob("metrics.jsonl")]


def alive(pid: int) -> bool:
    """Is there such a process, other than one that only waits to be counted?"""
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"


def children(pid: int) -> list[int]:
    """Its worker processes; the pool has a process of its own beside them."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(p) for p in listed if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def test_a_loss_that_is_not_finite_is_recorded_and_the_grid_goes_on(here, capsys, monkeypatch):
    real = trainer_module.Trainer._step

    def step(run):
        if run.stage.method == "bptt":
            raise NonFiniteLoss("'readout' is nan at step 0; the step was not taken.")
        return real(run)

    words = ["compare", "copy:8", "--methods", "bptt", "smt", "--name", "grid", *SHORT]
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "_step", step)
        said = call(capsys, *words)
        assert said.code == 0
        assert "failed, 'readout' is nan at step 0" in said.err
        assert "Failed runs, in no mean: copy:8 mlp bptt (1)" in " ".join(said.out.split())
        alone = call(capsys, *words, "--methods", "bptt", "--name", "alone")
    assert alone.code == 1
    assert alone.err.splitlines()[-1].startswith("pastforward: Every run failed")
    rows = {row["strategy"]: row for row in results()}
    assert (rows["bptt"]["state"], rows["smt"]["state"]) == ("failed", "finished")
    assert "readout" in rows["bptt"]["error"]
    said = call(capsys, *words, "--resume")  # what failed once would fail again
    assert said.code == 0
    assert "runs/grid/bptt is failed." in said.err
    assert call(capsys, *words, "--overwrite").code == 0
    assert {row["state"] for row in results()} == {"finished"}


def test_what_is_resumed_must_be_what_was_begun(finished, here, capsys):
    words = ["compare", "copy:8", "--methods", "bptt", "--name", "grid", *SHORT]
    assert call(capsys, *words).code == 0
    before = {p: p.read_bytes() for p in GRID.rglob("*") if p.is_file()}
    for other, says in (
        (["--seeds", "0", "1"], "one task, cell and seed"),
        (["--search"], "another --search"),
        (["--smt.noise", "0.5"], "another smt"),
        (["--steps", "3"], "is finished"),
    ):
        assert says in refused(capsys, *words, *other, "--resume")
    assert "already holds a run" in refused(capsys, *words)
    assert {p: p.read_bytes() for p in GRID.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("other", [["--steps", "3"], ["--smt.noise", "0.5"], ["--seeds", "1"]])
def test_what_is_overwritten_may_have_been_anything(here, capsys, other):
    words = ["compare", "copy:8", "--methods", "bptt", "--name", "grid", *SHORT]
    assert call(capsys, *words).code == 0
    assert call(capsys, *words, *other, "--overwrite").code == 0
    assert [row["state"] for row in results()] == ["finished"]


def test_overwriting_forgets_all_earlier_runs_at_once(here, capsys, monkeypatch):
    words = ["compare", "copy:8", "--methods", "bptt", "smt", "--name", "grid", *SHORT]
    assert call(capsys, *words).code == 0

    def stop(run):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer_module.Trainer, "_step", stop)
    assert call(capsys, *words, "--overwrite").code == 130
    assert students() == {}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("copy --lengths 3", "given length 3; give 4 to 65536"),
        ("copy --lengths 8 8", "A task was named twice"),
        ("copy --lengths", "No length was named"),
        ("digits --lengths 8", "'digits', whose length isn't free"),
        ("copy:8 --lengths 12", "'copy:8', which has a length; write 'copy'"),
        ("copy:8 digts", "no recipe or file 'digts'; did you mean 'digits'"),
        ("copy:8 --cells gruu", "no cell 'gruu'; did you mean 'gru'"),
        ("copy:8 --cells gru --cell mlp", "Unrecognized options: --cell"),
        ("copy:8 --cells s4d", "'s4d' is a baseline; give it as --networks s4d"),
        ("copy:8 --networks gru", "no baseline 'gru'"),
        ("copy:8 --cells gru mlp --cell.scale 2", "Unrecognized options: --cell.scale"),
        ("copy:8 --seeds 1 2 1", "A seed was named twice"),
        ("copy:8 --seeds 1000", "Seed 1000 is reserved for the search"),
        ("copy:8 --jobs 0", "--jobs is 0"),
        ("copy:8 --search --share 2", "--share is 2.0"),
        ("copy:8 --search --factors 1 -1", "give numbers above 0"),
        ("copy:8 --search --fit.evaluations 0", "give --fit.evaluations 1"),
        ("copy:8 retrieval:12 --smt.future 9", "F is 9.* T = 8"),
        ("copy:12 retrieval:8 --methods bptt smt --smt.future 9", "F is 9.* T = 8"),
        ("copy:8 --seconds 3 --steps 2", "steps=2, tokens=None, seconds=3"),
        ("", "No task was named|Missing"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(options, says, here, capsys, monkeypatch):
    monkeypatch.setattr(trainer_module.Trainer, "train", lambda *_: pytest.fail("it trained"))
    line = refused(capsys, "compare", *options.split())
    assert re.search(says, line), line
    assert not list(here.iterdir())


def test_shards_train_parts_and_gather_makes_the_page(here, capsys):
    """Of a grid that is searched, by lines of its table; the same rates, results and students."""
    words = [*SEARCHED[:5], "tbptt", "smt", *SEARCHED[6:]]
    assert "holds no comparison; run its shards" in refused(capsys, *words, "--gather")
    assert call(capsys, *words[: -len(SHORT) - 1], "whole", *SHORT).code == 0
    said = call(capsys, *words, "--shard", "2/2")
    assert (said.code, len(students())) == (0, 4)
    assert said.last.startswith("Shard 2/2 lies in runs/grid; the same command with --gather")
    assert not (GRID / "report.html").exists()
    assert "4 of 8 runs are not finished" in call(capsys, *words, "--gather").err
    assert call(capsys, *words, "--shard", "1/2").code == 0
    said = call(capsys, *words, "--gather")
    assert (said.code, said.last) == (0, "Report: runs/grid/report.html")
    one, other = students(), students(Path("runs") / "whole")
    assert {n: p.read_bytes() for n, p in one.items()} == {
        n: p.read_bytes() for n, p in other.items()
    }
    rates = [json.loads((Path("runs") / n / "rates.json").read_text()) for n in ("grid", "whole")]
    assert rates[0] == rates[1]
    for given in ("0/2", "3/2", "2", "a/b", "/"):
        assert f"--shard is '{given}'; give a part" in refused(capsys, *words, "--shard", given)
    assert "holds no run; give fewer parts" in refused(capsys, *words, "--shard", "9/9")
