"""Folders as a whole or not at all, and one process at a time: what killed ones leave is mended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pastforward.cli.main import main
from pastforward.errors import UsageError
from pastforward.runs.places import all_runs, find_run
from pastforward.training.folder import RunFolder
from pastforward.training.locking import locked, under_way

WORDS = ["train", "copy:8", "--method", "bptt", "--name", "b", "--fit.batch", "4"]
TINY = ["--student.slots", "2", "--student.width", "8", "--fit.evaluations", "1"]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS, *TINY, "--steps", "2"]) == 0
    return Path("runs/b")


@pytest.fixture(scope="module")
def dead():
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


KILLED_AT = """
import os, sys
from pathlib import Path
from pastforward.cli.main import main
wanted = int(sys.argv[1])
plain, calls = Path.rename, []
def rename(self, target):
    calls.append(target)
    if len(calls) == wanted:
        os.kill(os.getpid(), 9)
    return plain(self, target)
Path.rename = rename
main(sys.argv[2:])
"""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_under_overwrite_loses_no_run(at, trained, capsys):
    figures = (trained / "evaluation.json").read_text()
    words = [sys.executable, "-c", KILLED_AT, str(at), *WORDS, *TINY, "--steps", "2", "--overwrite"]
    killed = subprocess.run(words, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    folder = find_run("b")
    assert [run.path for run in all_runs()] == [folder.path]
    if at < 3:  # the new run had not taken its place
        assert folder.evaluation.read_text() == figures
    capsys.readouterr()
    assert main(["list"]) == 0
    assert ".b." not in capsys.readouterr().out
    assert main([*WORDS, *TINY, "--steps", "2", "--overwrite"]) == 0
    assert [path.name for path in Path("runs").iterdir()] == ["b"]


def test_unfinished_files_of_dead_processes_are_deleted(trained, dead):
    left = trained / "checkpoints" / f".last.safetensors.{dead}.part"
    mine = trained / f".config.json.{os.getpid()}.part"
    others = trained / ".notes.part"
    for path in (left, mine, others):
        path.write_text("x")
    beside = [Path(f"runs/.b.{dead}.{what}") for what in ("new", "gone", "old")]
    kept = [Path(f"runs/.b2.{dead}.new"), Path(f"runs/.b.{os.getpid()}.new")]
    for path in (*beside, *kept):
        path.mkdir()
    assert main([*WORDS, *TINY, "--steps", "2", "--resume"]) == 0
    assert not left.exists()
    assert mine.exists()
    assert others.exists()
    assert not any(path.exists() for path in beside)
    assert all(path.exists() for path in kept)


def test_a_run_that_was_set_aside_is_found(trained, dead):
    trained.rename(f"runs/.b.{dead}.old")
    assert find_run("b").evaluation.exists()


def test_a_run_of_a_living_process_is_left_alone(trained):
    trained.rename(under_way(trained, "old"))
    with pytest.raises(UsageError, match="no run 'b'"):
        find_run("b")


HOLDING = """
import sys, time
from pathlib import Path
from pastforward.training.locking import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_that_is_trained_is_refused_until_its_process_is_gone(trained, capsys):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(trained)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        before = (trained / "metrics.jsonl").read_bytes()
        (trained / "evaluation.json").rename("kept.json")
        for option in ("--resume", "--overwrite"):
            capsys.readouterr()
            assert main([*WORDS, *TINY, "--steps", "2", option]) == 2
            said = capsys.readouterr().err
            assert f"is being written by process {process.pid} on " in said
            assert said.count("\n") == 1
        assert (trained / "metrics.jsonl").read_bytes() == before
    finally:
        process.kill()
        process.communicate()
    assert Path("runs/.b.lock").exists()  # stale, and taken over
    assert main([*WORDS, *TINY, "--steps", "2", "--resume"]) == 0
    assert not Path("runs/.b.lock").exists()


def test_a_second_lock_in_one_process_is_refused(tmp_path):
    with (
        locked(tmp_path / "a"),
        pytest.raises(UsageError, match="is being written by process"),
        locked(tmp_path / "a"),
    ):
        pass
    with locked(tmp_path / "a"):  # free again
        assert RunFolder(tmp_path / "a").is_foreign is False
    assert not list(tmp_path.iterdir())
