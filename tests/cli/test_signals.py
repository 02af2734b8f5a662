"""Ctrl-C and SIGTERM: saved, the way to go on said, and the right exit code."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import TINY, call

from pastforward.training import RunFolder

WORDS = ["train", "copy:8", "--way", "bptt", "--name", "long run", "--overwrite", *TINY]


def rows(folder: RunFolder) -> int:
    return len(folder.metrics.path.read_text().splitlines()) if folder.metrics.path.exists() else 0


def started(folder: RunFolder) -> subprocess.Popen:
    """A run of many hours, ten steps or more into it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pastforward.cli", *WORDS, "--steps", "10000000"],
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
