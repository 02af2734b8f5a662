"""Collapse: do labels stay apart when a cell's dynamics pull at them, and what keeps them apart?

    python benchmarks/collapse.py gru paper retrieval:16 0     a cell, a setting, a task, a seed
    python benchmarks/collapse.py queue weights                what is missing of a list of jobs
    python benchmarks/collapse.py table                        means over seeds, in Markdown

Lists: weights (the paper's losses with a dynamics weight of 0.1, 1 and 10, and ours), cures
(changes to them at a weight of 1), spreads (other regularisers in our recipes) and cells (all of
them alone, by SMT then DMT and by BPTT). A job is a number of optimiser steps on one thread; rows
go to benchmarks/results/collapse.jsonl, and a job that has a row there is not run again.

"paper" is: joint from the first step, decoding + 0.1 squared error + 0.001 uniformity over pairs of
all memories, a cell without the norm after its step. Steps, sizes, encoder and the number of
transitions in a step are ours.
"""

import copy
import datetime
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from solve import hardware
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.analysis.collapse import CollapseMeter
from pastforward.analysis.evaluate import evaluate
from pastforward.cells import CELLS
from pastforward.config import Budget, RunConfig, SMTConfig, TeacherConfig
from pastforward.data.opening import open_data
from pastforward.data.source import Source
from pastforward.losses import (
    covariance,
    gaussian,
    masked_mean,
    squared_error,
    uniformity,
    variance_unexplained,
)
from pastforward.memory import flat, take
from pastforward.methods import METHODS
from pastforward.methods.base import Method
from pastforward.methods.sampling import SampledAnchors, anchor_futures
from pastforward.methods.smt import SMT, TeacherTraining
from pastforward.outputs import nll
from pastforward.recipes.copy import copy as copy_recipe
from pastforward.recipes.digits import digits
from pastforward.recipes.retrieval import retrieval
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.loop import Fit
from pastforward.training.networks import build_networks
from pastforward.types import AnyBatch

RESULTS = Path(__file__).parent / "results" / "collapse.jsonl"
STEPS = {"retrieval:16": 400, "copy:16": 600, "copy:32": 600, "digits": 300}
SMALL = TeacherConfig("registers", width=32, depth=2, heads=2)
"""Of the synthetic tasks: enough for these lengths."""
TEACHING = 0.3
"""Share of the steps in which the teacher trains alone, where it has a warm-up."""


class Plain(nn.Module):
    """A cell of the library without the norm after its step, on memories scaled by `scale`."""

    def __init__(self, cell: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.cell, self.memory, self.inputs, self.scale = cell, cell.memory, cell.inputs, scale

    def forward(self, m: Tensor, e: Tensor) -> Tensor:
        return self.cell.transition(self.scale * m, e) / self.scale


class EachGate(nn.Module):
    """Normalises what goes into each gate."""

    def __init__(self, linear: nn.Linear, gates: int) -> None:
        super().__init__()
        self.linear, self.gates = linear, gates
        self.norm = nn.LayerNorm(linear.out_features // gates)

    def forward(self, rows: Tensor) -> Tensor:
        return self.norm(self.linear(rows).unflatten(-1, (self.gates, -1))).flatten(-2)


def gates_normalised(cell: nn.Module) -> Plain:
    gates = {"GRU": 3, "LSTM": 4}[type(cell).__name__]
    cell.recurrent, cell.input = (EachGate(part, gates) for part in (cell.recurrent, cell.input))
    return Plain(cell)


FORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "plain": Plain,
    "scaled": lambda cell: Plain(cell, 0.4),
    "gates": gates_normalised,
    "norm": lambda cell: cell,
}
ERRORS = {"squared": squared_error, "unexplained": variance_unexplained}


def over_all(m: Tensor) -> Tensor:
    """Memories `[steps, N, K, D]` as those of one step: pairs in time as well as of sequences."""
    return m.flatten(0, 1)[None]


SPREADS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "pairs": lambda m, directions: uniformity(over_all(m)),
    "uniformity": lambda m, directions: uniformity(m),
    "covariance": lambda m, directions: covariance(m),
    "gaussian": gaussian,
}


@dataclass(frozen=True)
class Setting:
    """The paper's losses and what is changed of them."""

    form: str = "plain"
    warmup: float = 0.0
    """Share of the steps before the student joins the teacher."""
    error: str = "squared"
    dynamics: float = 0.1
    spread: str = "pairs"
    weight: float = 0.001
    slow: float = 0.0
    """How much of itself the encoder that labels the targets keeps at each step; 0: no such one."""


CHANGES: dict[str, dict[str, Any]] = {
    "norm": {"form": "norm"},
    "scale": {"form": "scaled"},
    "gates": {"form": "gates"},
    "warm-up": {"warmup": TEACHING},
    "divided": {"error": "unexplained"},
    "slow labels": {"slow": 0.99},
    "uniformity 0.1": {"weight": 0.1},
    "covariance 1": {"spread": "covariance", "weight": 1.0},
    "gaussian 1": {"spread": "gaussian", "weight": 1.0},
}
CURES = (*CHANGES, "norm, divided", "norm, warm-up", "norm, warm-up, divided")
WEIGHTS = {"paper": 0.1, "paper, dynamics 1": 1.0, "paper, dynamics 10": 10.0}


def changed(weight: float, cure: str) -> Setting:
    """The paper's losses with a dynamics weight and some changes, named with commas between."""
    setting = Setting(dynamics=weight)
    for name in cure.split(", "):
        setting = replace(setting, **CHANGES[name])
    return setting


SETTINGS = {name: Setting(dynamics=weight) for name, weight in WEIGHTS.items()} | {
    f"{weight} + {cure}": changed(weight, cure) for weight in (1, 10) for cure in CURES
}
"""By name; "1 + norm" is the paper's losses with a dynamics weight of 1 and the cell's norm."""
RECIPE_SPREADS: dict[str, dict[str, float]] = {
    "ours": {},
    "ours, no spread": {"uniformity": 0.0},
    "ours, uniformity 0.1": {"uniformity": 0.1},
    "ours, covariance 0.1": {"uniformity": 0.0, "covariance": 0.1},
    "ours, covariance 1": {"uniformity": 0.0, "covariance": 1.0},
    "ours, gaussian 0.1": {"uniformity": 0.0, "gaussian": 0.1},
    "ours, gaussian 1": {"uniformity": 0.0, "gaussian": 1.0},
}
"""The library's own losses, with other weights of what keeps labels apart."""


class Ablated(SMT):
    """Joint training with the losses of a `Setting`; the readout is fitted and moves nothing."""

    def __init__(self, student: Student, teacher: Teacher, setting: Setting) -> None:
        config = SMTConfig(gaussian=float(setting.spread == "gaussian"))
        super().__init__(student.memory, config)
        self.student, self.teacher, self.setting = student, teacher, setting
        self.slow = copy.deepcopy(teacher.encoder).requires_grad_(False)

    def modules(self) -> Iterable[nn.Module]:
        return self.teacher, self.student

    def serial_calls(self, length: int) -> int:
        return 1

    def compute(self, batch: AnyBatch, drawn: SampledAnchors) -> tuple[Tensor, dict[str, Tensor]]:
        setting, kind = self.setting, self.teacher.signature.outputs
        targets = self.teacher.targets(batch.x)
        stepped = self.student.step(targets[:, :-1], batch.x)
        reached = torch.cat([self.student.start(len(targets), 1), stepped], 1)
        future = anchor_futures(self.config, batch, drawn)
        decoded = self.teacher.decoder(take(targets[:, 1:], drawn.anchors), future.x)
        read = self.student.readout(stepped.detach())
        memories = targets[:, 1:][:, drawn.anchors[0]].transpose(0, 1)
        terms = {
            "decoding": masked_mean(nll(kind, decoded, future.y), future.mask),
            "dynamics": ERRORS[setting.error](reached, self._target(batch, targets)).mean(),
            "spread": SPREADS[setting.spread](memories, drawn.directions),
            "readout": masked_mean(nll(kind, read, batch.y), batch.mask),
        }
        weights = {"dynamics": setting.dynamics, "spread": setting.weight}
        return sum(weights.get(name, 1.0) * term for name, term in terms.items()), terms

    def _target(self, batch: AnyBatch, targets: Tensor) -> Tensor:
        """What the cell is to reach: labels, or those of an encoder that follows slowly."""
        if not self.setting.slow:
            return targets
        with torch.no_grad():
            for own, new in zip(
                self.slow.parameters(), self.teacher.encoder.parameters(), strict=True
            ):
                own.lerp_(new, 1.0 - self.setting.slow)
            return self.slow.targets(batch.x)


@dataclass(frozen=True)
class Job:
    cell: str
    setting: str
    """One of `SETTINGS` or `RECIPE_SPREADS`, or a way (smt+dmt, bptt)."""
    task: str
    seed: int = 0
    steps: int | None = None


def recipe(job: Job) -> RunConfig:
    """The library's recipe with this cell; an LSTM gets as many numbers in its two slots."""
    strategy = {"smt+dmt": "smt+dmt", "bptt": "bptt"}.get(job.setting, "smt")
    name, _, length = job.task.partition(":")
    config = {
        "copy": lambda: copy_recipe(strategy, int(length)),
        "retrieval": lambda: retrieval(strategy, int(length)),
        "digits": lambda: digits(strategy),
    }[name]()
    data, student = replace(config.data, source=job.task), replace(config.student, cell=job.cell)
    if job.cell == "lstm":
        student = replace(student, slots=2, width=student.slots * student.width // 2)
    budget = Budget(steps=job.steps or STEPS[job.task])
    smt = replace(config.smt, **RECIPE_SPREADS.get(job.setting, {}))
    teacher = config.teacher if name == "digits" else SMALL
    return replace(
        config, data=data, student=student, teacher=teacher, smt=smt, budget=budget, seed=job.seed
    )


def networks(job: Job, config: RunConfig, source: Source) -> tuple[Student, Teacher]:
    """As the library builds them; the cell in the form that the setting asks for."""
    student, teacher = build_networks(config, source)
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
        return [(METHODS[s.method](student, teacher, config), s.lr, s.share) for s in config.stages]
    setting, lr = SETTINGS[job.setting], config.stages[0].lr
    joint = Ablated(student, teacher, setting), lr, 1.0 - setting.warmup
    weights = SMTConfig(prediction=0.0, uniformity=setting.weight)
    alone = TeacherTraining(teacher, weights), lr, setting.warmup
    return [alone, joint] if setting.warmup else [joint]


def run(job: Job) -> None:
    torch.set_num_threads(1)
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
    row = {
        "cell": job.cell, "setting": job.setting, "task": job.task, "seed": job.seed,
        "steps": steps, "seconds": round(seconds, 1), "memory": student.memory.size,
        **{f"last_{name}": round(value, 4) for name, value in terms.items()},
        **measured(job, student, teacher, source),
        "threads": 1, "machine": hardware(), "date": datetime.date.today().isoformat(),
        "command": f"python benchmarks/collapse.py {job.cell} '{job.setting}' {job.task} "
                   f"{job.seed}" + (f" {job.steps}" if job.steps else ""),
    }  # fmt: skip
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def measured(job: Job, student: Student, teacher: Teacher, source: Source) -> dict[str, Any]:
    """Alone, and the collapse meter: over all memories, and within a step across sequences."""
    found = evaluate(student, None if job.setting == "bptt" else teacher, source, "test", 512)
    row: dict[str, Any] = {
        "nats": found.student.nats, "accuracy": found.student.accuracy,
        "rank_student": found.collapse["student"].rank,
        "similarity_student": found.collapse["student"].similarity,
    }  # fmt: skip
    if found.teacher is None:
        return row
    batch = next(iter(source.held_out("test", 256, 256)))
    with torch.inference_mode():
        targets = teacher.targets(batch.x)
        error = variance_unexplained(student.step(targets[:, :-1], batch.x), targets[:, 1:]).mean()
    return row | {
        "teacher_nats": found.teacher.nats, "teacher_accuracy": found.teacher.accuracy,
        "rank_labels": found.collapse["labels"].rank,
        "similarity_labels": found.collapse["labels"].similarity, "one_step": float(error),
        **within(targets[:, 1:]),
    }  # fmt: skip


def within(targets: Tensor) -> dict[str, float]:
    """Effective rank, cosine of pairs and variance of labels of different sequences at a step."""
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


TASK = "retrieval:16"
QUEUES: dict[str, list[Job]] = {
    "weights": [Job(c, s, TASK, n) for n in (0, 1) for c in ("gru", "lstm", "mlp")
                for s in (*WEIGHTS, "ours")],
    "cures": [Job(c, f"1 + {cure}", TASK, n) for n in (0, 1) for c in ("gru", "lstm")
              for cure in CURES],
    "spreads": [Job("mlp", s, t, n) for n in (0, 1) for t in ("copy:16", "digits")
                for s in RECIPE_SPREADS],
    "cells": [Job(c, s, "copy:16") for c in ("gru", "lstm", "elman", "transformer", "mlp")
              for s in ("smt+dmt", "bptt")] + [Job("lstm", "smt+dmt", TASK)],
}  # fmt: skip
COLUMNS = (
    "rank_labels", "rank_within", "similarity_within", "one_step", "teacher_nats", "nats",
    "accuracy",
)  # fmt: skip


def done() -> list[dict[str, Any]]:
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return [json.loads(line) for line in lines]


def queue(jobs: Iterable[Job]) -> None:
    for job in jobs:
        named = {"cell": job.cell, "setting": job.setting, "task": job.task, "seed": job.seed}
        steps = job.steps or STEPS[job.task]
        if not any(named.items() <= row.items() and row["steps"] == steps for row in done()):
            run(job)


def table() -> None:
    """Means over seeds."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in done():
        key = row["task"], row["cell"], row["setting"], row["steps"]
        groups.setdefault(key, []).append(row)
    print("| task | cell | setting | steps | seeds | " + " | ".join(COLUMNS) + " |")
    print("|---" * (5 + len(COLUMNS)) + "|")
    for key, rows in groups.items():
        cells = [mean(rows, column) for column in COLUMNS]
        print("| " + " | ".join([*map(str, key), str(len(rows)), *cells]) + " |")


def mean(rows: list[dict[str, Any]], column: str) -> str:
    values = [row[column] for row in rows if row.get(column) is not None]
    return f"{sum(values) / len(values):.3g}" if values else ""


def asked(words: list[str]) -> Job:
    """The job that the words name; ends with the usage where one of them is unknown."""
    known = CELLS, (*SETTINGS, *RECIPE_SPREADS, "smt+dmt", "bptt"), STEPS
    numbers = words[3:]
    named = all(word in names for word, names in zip(words, known, strict=False))
    if not (named and len(numbers) in (1, 2) and all(word.isdecimal() for word in numbers)):
        sys.exit(__doc__)
    return Job(*words[:3], *map(int, numbers))


def main(words: list[str]) -> None:
    if words == ["table"]:
        table()
    elif len(words) == 2 and words[0] == "queue" and words[1] in QUEUES:
        queue(QUEUES[words[1]])
    else:
        run(asked(words))


if __name__ == "__main__":
    main(sys.argv[1:])
