"""Where a student loses against its teacher, before and after DMT.

    python -m benchmarks.studies.gap copy:16 1500     a task and a number of optimiser steps

Rows go to benchmarks/results/gap.jsonl, the run to runs/gap/. On one thread. What one finished run
shows, `pastforward analyse RUN gap` tells; here the student is also measured between stages.
"""

import sys
from copy import deepcopy
from dataclasses import replace

import torch
from typing_extensions import override

from benchmarks.paths import RESULTS, RUNS
from benchmarks.studies.files import append
from benchmarks.studies.training_runs import config_of
from pastforward.analysis.evaluate import finite
from pastforward.analysis.gap import loss_gap
from pastforward.config import Budget
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.callbacks import Callback, stop_signals
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer


class Snapshots(Callback):
    """Copies of the student at the start of each stage, by the stage's name."""

    def __init__(self, run: Trainer) -> None:
        self.run, self.before = run, dict[str, Student]()

    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        self.before[name] = deepcopy(self.run.network)
        print(f"stage {number + 1} of {of}: {name}", flush=True)


def main(task: str, steps: str) -> None:
    """Train, and measure the student after single steps, before DMT and after it."""
    config = replace(config_of(task), budget=Budget(steps=int(steps)))
    folder = RunFolder(RUNS / "gap" / task.replace(":", ""))
    folder.prepare(config, IfExists.OVERWRITE)
    run = Trainer(config, folder)
    snapshots = Snapshots(run)
    with stop_signals() as stopping:
        run.train([snapshots], stopping)
    assert isinstance(run.teacher, Teacher)
    before = snapshots.before
    first = next(name for name in before if name.startswith(("teacher-forced", "dmt")))
    students = {"single steps": before[first], "before DMT": before["dmt"],
                "after DMT": run.network}  # fmt: skip
    for when, student in students.items():
        found = loss_gap(student, run.teacher, run.source).to_json()
        row = {"task": task, "when": when, "steps": int(steps), "seconds": run.spent.seconds}
        command = f"python -m benchmarks.studies.gap {task} {steps}"
        append(RESULTS / "gap.jsonl", command, finite(row | found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(__doc__)
