"""What makes target memories collapse, and what keeps them apart.

    python -m benchmarks.studies.collapse gru paper retrieval:16 0   cell, setting, task, seed
    python -m benchmarks.studies.collapse queue weights              what is missing of a list
    python -m benchmarks.studies.collapse table                      means over seeds, in Markdown

Lists: weights (the paper's losses with a dynamics weight of 0.1, 1 and 10, and ours), cures
(changes to them at a weight of 1) and cells (all of them, by SMT then DMT and by BPTT). A job is a
number of optimiser steps on one thread. Rows go to benchmarks/results/collapse.jsonl, and a job
that has a row there is not run again. Sizes, encoder and the number of transitions in a step are
ours.
"""

import shlex
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.paths import RESULTS
from benchmarks.studies.collapse.cells import FORMS
from benchmarks.studies.collapse.method import Ablation
from benchmarks.studies.collapse.settings import QUEUES, SETTINGS, STEPS, STRATEGIES, Job
from benchmarks.studies.files import append, read_lines
from benchmarks.studies.training_runs import config_of, method_of
from pastforward.analysis.evaluate import evaluate
from pastforward.analysis.memory_meters import CollapseMeter
from pastforward.cells import CELLS
from pastforward.config import Budget, RunConfig
from pastforward.data.opening import open_data
from pastforward.data.source import Source
from pastforward.losses import variance_unexplained
from pastforward.memory import flat
from pastforward.methods import SMTConfig
from pastforward.methods.base import Method
from pastforward.methods.smt import TeacherTraining
from pastforward.student import Student
from pastforward.teacher import TeacherConfig
from pastforward.teacher.teacher import Teacher
from pastforward.training.loop import Fit
from pastforward.training.networks import build_networks

PATH = RESULTS / "collapse.jsonl"
TEACHER = TeacherConfig("registers", width=32, depth=2, heads=2)
"""Large enough for sequences this short."""
COLUMNS = (
    "rank_targets", "rank_within", "similarity_within", "one_step", "teacher_nats", "nats",
    "accuracy",
)  # fmt: skip


def run(job: Job) -> None:
    """Train and append a row."""
    torch.manual_seed(job.seed)
    config = recipe(job)
    source = open_data(config.data)
    student, teacher = networks(job, config, source)
    seconds, steps = 0.0, 0
    for number, (method, lr, share) in enumerate(stages(job, config, student, teacher)):
        budget = config.budget.part(share)
        fit = Fit(method, source, lr, budget, config.fit, job.seed + 7919 * number)
        while fit.share() < 1.0:
            terms = fit.step()
        seconds, steps = seconds + fit.progress.seconds, steps + fit.progress.step
    last = {f"last_{name}": round(value, 4) for name, value in terms.items()}
    spent = {"steps": steps, "seconds": round(seconds, 1), "memory": student.memory.size}
    words = [job.cell, job.setting, job.task, str(job.seed)]
    command = f"python -m benchmarks.studies.collapse {shlex.join(words)}"
    append(PATH, command, asdict(job) | spent | last | measured(job, student, teacher, source))


def recipe(job: Job) -> RunConfig:
    """The library's recipe for the task with this cell, and a small teacher."""
    config = config_of(job.task, STRATEGIES.get(job.setting, "smt"), job.cell, job.seed)
    return replace(config, teacher=TEACHER, budget=Budget(steps=STEPS[job.task]))


def networks(job: Job, config: RunConfig, source: Source) -> tuple[Student, Teacher | None]:
    """As the library builds them; the cell in the form that the setting asks for."""
    student, teacher = build_networks(config, source.signature)
    assert isinstance(student, Student)
    assert isinstance(teacher, Teacher | None)
    if job.setting in SETTINGS:
        with torch.random.fork_rng():
            torch.manual_seed(job.seed)
            student.cell = FORMS[SETTINGS[job.setting].form](student.cell)
    return student, teacher


def stages(
    job: Job, config: RunConfig, student: Student, teacher: Teacher
) -> list[tuple[Method, float, float]]:
    """Methods with their learning rates and shares of the steps, in order."""
    if job.setting not in SETTINGS:
        return [(method_of(s.method, student, teacher, config), s.lr, s.share)
                for s in config.stages]  # fmt: skip
    setting, lr = SETTINGS[job.setting], config.stages[0].lr
    joint = Ablation(student, teacher, setting), lr, 1.0 - setting.warmup
    weights = SMTConfig(prediction=0.0, uniformity=setting.weight)
    alone = TeacherTraining(teacher, weights), lr, setting.warmup
    return [alone, joint] if setting.warmup else [joint]


def measured(job: Job, student: Student, teacher: Teacher | None, source: Source) -> dict[str, Any]:
    """The student alone, and the spread of memories over all steps and within a step."""
    teacher = None if job.setting == "bptt" else teacher
    found = evaluate(student, teacher, source, "test", 512)
    row: dict[str, Any] = {
        "nats": found.student.nats, "accuracy": found.student.accuracy,
        "rank_student": found.collapse["student"].rank,
        "similarity_student": found.collapse["student"].similarity,
    }  # fmt: skip
    if teacher is None or found.teacher is None:
        return row
    batch = next(iter(source.held_out("test", 256, 256)))
    with torch.inference_mode():
        targets = teacher.targets(batch.x)
        error = variance_unexplained(student.step(targets[:, :-1], batch.x), targets[:, 1:]).mean()
    return row | {
        "teacher_nats": found.teacher.nats, "teacher_accuracy": found.teacher.accuracy,
        "rank_targets": found.collapse["targets"].rank,
        "similarity_targets": found.collapse["targets"].similarity, "one_step": float(error),
        **within(targets[:, 1:]),
    }  # fmt: skip


def within(targets: Tensor) -> dict[str, float]:
    """Effective rank, cosine of pairs and variance of different sequences' targets at a step."""
    meter = CollapseMeter(flat(targets).shape[-1])
    meter.add(targets - targets.mean(0))
    units = F.normalize(flat(targets), dim=-1)
    count = len(units)
    pairs = (units.sum(0).square().sum(-1) - count) / (count * (count - 1))
    return {
        "rank_within": meter.read().rank,
        "similarity_within": float(pairs.mean()),
        "variance_within": float(targets.var(0, correction=0).mean()),
    }


def queue(jobs: Iterable[Job]) -> None:
    """Run the jobs that have no row."""
    for job in jobs:
        if not any(asdict(job).items() <= row.items() for row in read_lines(PATH)):
            run(job)


def table() -> None:
    """Print means over seeds."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in read_lines(PATH):
        key = row["task"], row["cell"], row["setting"], row["steps"]
        groups.setdefault(key, []).append(row)
    print("| task | cell | setting | steps | seeds | " + " | ".join(COLUMNS) + " |")
    print("|---" * (5 + len(COLUMNS)) + "|")
    for key, rows in groups.items():
        means = [mean(rows, column) for column in COLUMNS]
        print("| " + " | ".join([*map(str, key), str(len(rows)), *means]) + " |")


def mean(rows: list[dict[str, Any]], column: str) -> str:
    values = [row[column] for row in rows if row.get(column) is not None]
    return f"{sum(values) / len(values):.3g}" if values else ""


def main(words: list[str]) -> None:
    """Do what the words say, or end with the usage."""
    match words:
        case ["table"]:
            table()
        case ["queue", name] if name in QUEUES:
            queue(QUEUES[name])
        case [cell, setting, task, seed] if (
            cell in CELLS and setting in {*SETTINGS, *STRATEGIES} and task in STEPS
            and seed.isdecimal()
        ):  # fmt: skip
            run(Job(cell, setting, task, int(seed)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
