"""L5. Five students from one label store, against five joint runs of the same number of steps."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.measuring import BenchError, Row

STEPS, STUDENT_STEPS, SEQUENCES = 600, 510, 16384
CELLS = ("mlp", "gru", "elman", "transformer", "mlp")
FEW_LOOKS = ("--fit.evaluations", "4")


def run() -> Iterator[Row]:
    """Copy T = 32, whole commands as a user runs them: start, training and evaluation.

    A joint run takes 600 steps: 90 of the teacher, 210 with the student, 300 of growing windows
    and DMT. The teacher of
    one of them writes the store; each student then takes 204 steps on labels and 306 of DMT.
    """
    with tempfile.TemporaryDirectory() as folder:
        joint = [
            _train(folder, "copy32", "--cell", cell, *_options(n, STEPS))
            for n, cell in enumerate(CELLS)
        ]
        begin = time.perf_counter()
        _pastforward(folder, "label", "run0", "--out", "store", "--sequences", str(SEQUENCES))
        labelling = time.perf_counter() - begin
        students = [
            _train(folder, "--labels", "store", "--cell", cell, *_options(5 + n, STUDENT_STEPS))
            for n, cell in enumerate(CELLS)
        ]
    ours = joint[0][0] + labelling + sum(seconds for seconds, _ in students)
    rival = sum(seconds for seconds, _ in joint)
    nats = [statistics.mean(nats for _, nats in runs) for runs in (students, joint)]
    yield Row(
        "store", "five students, seconds in all", rival / ours, ">=", None,
        (rival / ours, rival / ours), ours, rival, "s",
        f"teacher's run {joint[0][0]:.0f} s, labelling {labelling:.0f} s; nats alone, mean of the "
        f"five: {nats[0]:.3f} from the store, {nats[1]:.3f} joint",
    )  # fmt: skip
    each = statistics.median(seconds for seconds, _ in students)
    once = statistics.median(seconds for seconds, _ in joint)
    yield Row(
        "store", "each further student", once / each, ">=", None, (once / each, once / each), each,
        once, "s", "start and evaluation included",
    )  # fmt: skip


def _options(number: int, steps: int) -> tuple[str, ...]:
    return (
        "--steps", str(steps), "--name", f"run{number}", "--seed", str(number), *FEW_LOOKS,
    )  # fmt: skip


def _train(folder: str, *words: str) -> tuple[float, float]:
    """Seconds of the command, and the student's nats per output, alone."""
    begin = time.perf_counter()
    _pastforward(folder, "train", *words)
    name = words[words.index("--name") + 1]
    found = json.loads((Path(folder) / "runs" / name / "evaluation.json").read_text())
    return time.perf_counter() - begin, found["evaluation"]["student"]["nats"]


def _pastforward(folder: str, *words: str) -> None:
    command = [sys.executable, "-m", "pastforward", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(words)} failed: {done.stderr.strip()[-300:]}")
