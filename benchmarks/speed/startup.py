"""L5. Seconds from `pastforward train` to its first optimiser step, compilation included."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.speed.measuring import BenchError, Row

TARGET, REPEATS = 15.0, 2


def run() -> Iterator[Row]:
    """`train digits`, compiled, once to fill the compiler's cache and then again; and eagerly."""
    with tempfile.TemporaryDirectory() as folder:
        first = _seconds(folder, "on")
        resume_command = sorted(_seconds(folder, "on") for _ in range(REPEATS))
        eager = _seconds(folder, "off")
    ratio = resume_command[len(resume_command) // 2]
    yield Row(
        "startup", "train digits, compiled, second run", ratio, "<=", TARGET,
        (resume_command[0], resume_command[-1]), ratio, eager, "s",
        f"{first:.1f} s for the run before it; the rival is the same run, not compiled",
    )  # fmt: skip


def _seconds(folder: str, compiled: str) -> float:
    begin = time.perf_counter()
    command = [
        sys.executable, "-m", "benchmarks.speed.first_step", "train", "digits",
        "--fit.compile", compiled, "--overwrite",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"train digits failed: {done.stderr.strip()[-300:]}")
    return time.perf_counter() - begin
