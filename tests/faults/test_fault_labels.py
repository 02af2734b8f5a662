"""Label stores: one process writes one, a kill at any moment is mended, their data may move."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.command_line import QUICK, TINY, call, refused

LABEL = ["label", "tale", "--sequences", "10", "--out", "labels"]
STUDENT = ["train", "--labels", "labels", *QUICK]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder with a text, a run on it that has a teacher, and its labels."""
    folder = tmp_path_factory.mktemp("labels")
    (folder / "tale.txt").write_text("Once upon a time there was a memory. " * 30)
    words = ["train", "tale.txt", "--data.length", "8", "--method", "smt", "--name", "tale"]
    for one in ([*words, *QUICK, *TINY], LABEL):
        subprocess.run([sys.executable, "-m", "pastforward", *one], cwd=folder, check=True)
    return folder


@pytest.fixture
def home(first, tmp_path, monkeypatch):
    monkeypatch.chdir(first)
    shutil.copytree(first, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


HOLDING = """
import sys, time
from pathlib import Path
from pastforward.training.locking import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_labels_that_are_written_are_refused_until_that_process_is_gone(home, capsys):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(home / "labels")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        before = contents(home / "labels")
        for option in ("--resume", "--overwrite"):
            line = refused(capsys, *LABEL, option)
            assert f"labels is being written by process {process.pid} on " in line
            assert "use another --out" in line
        assert contents(home / "labels") == before
    finally:
        process.kill()
        process.communicate()
    assert (home / ".labels.lock").exists()  # stale, and taken over
    assert call(capsys, *LABEL, "--overwrite").code == 0
    assert not (home / ".labels.lock").exists()


KILLED_AT = """
import os, pathlib, sys
from pastforward.cli.main import main
from pastforward.runs import labelling
labelling.CHUNK_BYTES = 2000
wanted, calls = int(sys.argv[1]), []
def counted(real):
    def call(*given, **named):
        calls.append(given)
        if len(calls) == wanted:
            os.kill(os.getpid(), 9)
        return real(*given, **named)
    return call
os.replace = counted(os.replace)
pathlib.Path.unlink = counted(pathlib.Path.unlink)
pathlib.Path.mkdir = counted(pathlib.Path.mkdir)
sys.exit(main(sys.argv[2:]))
"""


def killed(at: int, *words: str) -> bool:
    """Was it killed, at the `at`-th file or folder that it makes, moves or deletes?"""
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(at), *words], check=False, capture_output=True
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("at", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("option", [[], ["--overwrite"]])
def test_a_kill_leaves_labels_that_go_on(at, option, home, capsys, monkeypatch):
    monkeypatch.setattr("pastforward.runs.labelling.CHUNK_BYTES", 2000)
    assert call(capsys, *LABEL[:-1], "whole").code == 0
    if not option:
        shutil.rmtree("labels")
    assert killed(at, *LABEL, *option)
    begun = Path("labels/store.json").exists()
    last = ["--overwrite"] if option else ["--resume"] if begun else []
    assert call(capsys, *LABEL, *last).code == 0
    assert contents(home / "labels") == contents(home / "whole")
    assert not [path for path in home.iterdir() if path.name.startswith(".")]


def test_what_others_keep_beside_labels_stays(home, capsys):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    mine = home / "labels" / ".notes.part"
    left = home / "labels" / f".chunk-00001.safetensors.{process.pid}.part"
    for path in (mine, left):
        path.write_bytes(b"x")
    assert call(capsys, *LABEL, "--resume").code == 0
    assert mine.exists()
    assert not left.exists()


def test_moved_data_of_labels_is_pointed_at(home, capsys):
    store = json.loads((home / "labels/store.json").read_text())
    lay = store["config"]["data"]["source"]
    os.rename(home / "tale.txt", home / "moved.txt")
    if Path(lay).exists():  # where the labels were written first
        store["config"]["data"]["source"] = str(home / "tale.txt")
        (home / "labels/store.json").write_text(json.dumps(store))
    line = refused(capsys, *STUDENT, "--name", "own")
    assert "The data of " in line
    assert "is not there; say where it lies now by --source PATH" in line
    assert call(capsys, *STUDENT, "--name", "own", "--source", "moved.txt").code == 0
    config = json.loads((home / "runs/own/config.json").read_text())
    assert config["data"]["source"] == str(home / "moved.txt")
    assert call(capsys, "eval", "own", "--sequences", "4").code == 0  # knows the new place
    Path("runs/own/evaluation.json").unlink()
    words = [*STUDENT, "--name", "own", "--source", "moved.txt", "--resume"]
    assert call(capsys, *words).code == 0
    resumed = call(capsys, *LABEL, "--source", "moved.txt", "--resume")
    assert resumed.code == 0, resumed


def test_moved_data_of_labels_is_checked(home, capsys):
    (home / "other.txt").write_text("Once upon a time there was a murmur. " * 30)
    line = refused(capsys, *STUDENT, "--source", "other.txt")
    assert "was trained on" in line or "read otherwise" in line
    assert not (home / "runs" / "own").exists()


def test_a_source_is_for_labels_alone(home, capsys):
    line = refused(capsys, "train", "copy:8", "--source", "tale.txt", *QUICK)
    assert "--source says where the data of --labels lies now" in line
    assert call(capsys, "train", "--labels", "labels", "--source", "x", "--help").code == 0


def test_damaged_labels_are_refused_before_anything_is_written(home, capsys):
    path = home / "labels" / "chunk-00000.safetensors"
    content = bytearray(path.read_bytes())
    content[-8:] = bytes(8)
    path.write_bytes(content)
    line = refused(capsys, *STUDENT, "--name", "new")
    assert "chunk-00000.safetensors' is damaged" in line
    assert not (home / "runs" / "new").exists()
