"""Ctrl-C and SIGTERM: saved, the way to go on said, and the right exit code."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import QUICK, TINY, call

import pastforward.training.trainer as trainer_module
from pastforward.runs import training
from pastforward.training.folder import RunFolder

WORDS = ["train", "copy:8", "--method", "bptt", "--name", "long run", "--overwrite", *TINY]


def rows(folder: RunFolder) -> int:
    return len(folder.metrics.path.read_text().splitlines()) if folder.metrics.path.exists() else 0


def started(folder: RunFolder) -> subprocess.Popen:
    """A run of many hours, ten steps or more into it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pastforward", *WORDS, "--steps", "10000000"],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not rows(folder) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert rows(folder), process.communicate()
    return process


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_saved_and_resumed(sent, code, here, capsys):
    folder = RunFolder(Path("runs") / "long run")
    process = started(folder)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    head, _, command = err.splitlines()[-1].partition("go on with: ")
    assert head == "pastforward: stopped and saved; "
    assert folder.checkpoint.exists()

    program, *words = shlex.split(command)
    assert program == "pastforward"
    assert "--overwrite" not in words
    words[words.index("--steps") + 1] = "11"  # fewer than were taken: the rest is nothing
    said = call(capsys, *words)
    assert (said.code, said.last) == (0, "Report: runs/long run/report.html")
    assert len(folder.metrics.read()) >= 1


class SignalAfter:
    """`Trainer._step`, with a signal to this process in the middle of one of them."""

    def __init__(self, count: int, number: int) -> None:
        self.left, self.number, self.real = count, number, trainer_module.Trainer._step

    def bind(self):
        def step(run):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), self.number)
            return self.real(run)

        return step


@pytest.mark.parametrize(
    ("count", "number", "code"), [(2, signal.SIGINT, 130), (5, signal.SIGTERM, 143)]
)
def test_a_stopped_comparison_goes_on(count, number, code, here, capsys, monkeypatch):
    """Stopped in the first way (3 steps) or the second: what then is trained is the same."""
    words = ["compare", "copy:8", "--methods", "bptt", "smt+dmt", *QUICK, *TINY]
    assert call(capsys, *words, "--name", "unbroken").code == 0
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "_step", SignalAfter(count, number).bind())
        said = call(capsys, *words, "--name", "broken")
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert said.code == code
    assert said.out == ""
    head, _, command = said.err.splitlines()[-1].partition("go on with: ")
    assert head == "pastforward: stopped and saved; "
    root = here / "runs" / "broken"
    begun = sorted(path.parent.name for path in root.glob("*/config.json"))
    assert begun == (["bptt"] if count <= 3 else ["bptt", "smt+dmt"])

    assert call(capsys, *shlex.split(command)[1:]).code == 0
    for strategy in ("bptt", "smt+dmt"):
        one, other = (RunFolder(here / "runs" / n / strategy) for n in ("broken", "unbroken"))
        assert one.student.read_bytes() == other.student.read_bytes()


def test_a_second_signal_is_obeyed_at_once(here, capsys, monkeypatch):
    def impatient(*networks, **given):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("went on")

    monkeypatch.setattr(trainer_module.Trainer, "_step", impatient)
    said = call(capsys, "train", "copy:8", *QUICK, *TINY)
    assert said.code == 130
    assert said.err.splitlines()[-1] == "pastforward: interrupted."


def test_interrupted_while_being_evaluated(here, capsys, monkeypatch):
    def impatient(*networks, **given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "evaluate", impatient)
        said = call(capsys, "train", "copy:8", *QUICK, *TINY)
    assert said.code == 130
    command = said.err.splitlines()[-1].partition("go on with: ")[2]
    assert call(capsys, *shlex.split(command)[1:]).code == 0
    assert (here / "runs" / "copy8-smt+dmt" / "evaluation.json").exists()
