"""Five students from one label store, against five joint runs."""

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.measuring import Row, run_module

STEPS, STUDENT_STEPS, SEQUENCES = 600, 510, 16384
CELLS = ("mlp", "gru", "elman", "transformer", "mlp")
FEW_EVALUATIONS = ("--fit.evaluations", "4")


def run() -> Iterator[Row]:
    """Copy T = 32, whole commands as a user runs them: start, training and evaluation.

    A joint run takes 600 steps: 90 of the teacher, 210 with the student, 300 of growing windows
    and DMT. The teacher of one of them writes the store; each student then takes 204 steps on
    stored targets and 306 of DMT.
    """
    with tempfile.TemporaryDirectory() as folder:
        joint = [
            _train(folder, "copy32", "--cell", cell, *_options(n, STEPS))
            for n, cell in enumerate(CELLS)
        ]
        words = ("label", "run0", "--out", "store", "--sequences", str(SEQUENCES))
        labelling = run_module("pastforward", *words, folder=folder)[1]
        students = [
            _train(folder, "--labels", "store", "--cell", cell, *_options(5 + n, STUDENT_STEPS))
            for n, cell in enumerate(CELLS)
        ]
    ours = joint[0][0] + labelling + sum(seconds for seconds, _ in students)
    rival = sum(seconds for seconds, _ in joint)
    nats = [statistics.mean(nats for _, nats in runs) for runs in (students, joint)]
    yield _row(
        "five students, seconds in all", ours, rival,
        f"teacher's run {joint[0][0]:.0f} s, labelling {labelling:.0f} s; nats of students alone, "
        f"mean of the five: {nats[0]:.3f} from the store, {nats[1]:.3f} joint",
    )  # fmt: skip
    each = statistics.median(seconds for seconds, _ in students)
    once = statistics.median(seconds for seconds, _ in joint)
    yield _row("each further student", each, once, "start and evaluation included")


def _row(case: str, ours: float, rival: float, bound: str) -> Row:
    ratio = rival / ours
    return Row("store", case, ratio, ">=", None, (ratio, ratio), ours, rival, "s", bound)


def _options(number: int, steps: int) -> tuple[str, ...]:
    name, seed = ("--name", f"run{number}"), ("--seed", str(number))
    return ("--steps", str(steps), *name, *seed, *FEW_EVALUATIONS)


def _train(folder: str, *words: str) -> tuple[float, float]:
    """Seconds of the command, and the student's nats per output, alone."""
    seconds = run_module("pastforward", "train", *words, folder=folder)[1]
    name = words[words.index("--name") + 1]
    found = json.loads((Path(folder) / "runs" / name / "evaluation.json").read_text())
    return seconds, found["evaluation"]["student"]["nats"]
