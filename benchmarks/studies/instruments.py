"""The instruments on short trainings: rows, and a picture of each.

    python benchmarks/instruments.py gap copy:16 1500        the gap before and after DMT
    python benchmarks/instruments.py credit retrieval:64     credit of networks that learned nothing
    python benchmarks/instruments.py frontier RUN RUN ...    loss by memory size of evaluated runs

Rows go to benchmarks/results/instruments.jsonl, pictures and runs to runs/instruments/. On one
thread. What one run's `pastforward analyse` shows is not repeated here.
"""

import datetime
import json
import statistics
import sys
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from pastforward.analysis import memory_loss_curve as memory_loss_curve
from pastforward.analysis.credit import Credit, bptt_credit, last_output, scaled, smt_credit
from pastforward.analysis.evaluate import finite
from pastforward.analysis.gap import loss_gap
from pastforward.config import Budget, RunConfig, SMTConfig, StudentConfig
from pastforward.data.opening import open_data
from pastforward.hardware import processor
from pastforward.recipes import RECIPES
from pastforward.recipes.auto import for_path
from pastforward.recipes.copy import copy
from pastforward.recipes.retrieval import retrieval
from pastforward.report.analysis_charts import (
    credit_figure,
    frontier_figure,
    gap_figure,
    save_figure,
)
from pastforward.runs.opening import find_runs, load_summary
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.networks import build_networks
from pastforward.training.stopping import stop_signals
from pastforward.training.trainer import Trainer

RESULTS = Path(__file__).parent / "results" / "instruments.jsonl"
PLACE = Path("runs/instruments")
SCALES, SEEDS = (0.5, 1.0, 2.0), (0, 1, 2)
CELLS = (("elman", 1, 128), ("gru", 1, 128), ("mlp", 4, 32))
SEQUENCES = 4


class Snapshots:
    """Keeps the student as it was at the start of each stage."""

    def __init__(self, run: Trainer) -> None:
        self.run, self.before = run, {}

    def stage(self, name: str, number: int, of: int) -> None:
        self.before[name] = deepcopy(self.run.student)
        print(f"stage {number + 1} of {of}: {name}", flush=True)

    def step(self, stage, terms: dict[str, float], valid: float | None) -> None:
        pass


def recipe(task: str) -> RunConfig:
    name, _, length = task.partition(":")
    tasks = {"copy": copy, "retrieval": retrieval}
    if name in tasks:
        return tasks[name](length=int(length))
    return RECIPES[task]("smt+dmt") if task in RECIPES else for_path(task)


def gap(task: str, steps: str) -> None:
    config = replace(recipe(task), budget=Budget(steps=int(steps)))
    folder = RunFolder(PLACE / f"gap-{task.replace(':', '')}")
    folder.prepare(config, IfExists.OVERWRITE)
    run = Trainer(config, folder)
    snapshots = Snapshots(run)
    with stop_signals() as stopping:
        run.train(snapshots, stopping)
    assert run.teacher is not None
    first = next(name for name in snapshots.before if name.startswith(("teacher-forced", "dmt")))
    students = {"single steps": snapshots.before[first], "before DMT": snapshots.before["dmt"],
                "after DMT": run.student}  # fmt: skip
    found = {name: loss_gap(s, run.teacher, run.source) for name, s in students.items()}
    spent = {"steps": int(steps), "seconds": run.spent.seconds}
    for name, of in found.items():
        write("gap", task, {"when": name} | spent | of.to_json())
    picture(f"gap-{task}", gap_figure(found))


def credit(task: str) -> None:
    for cell, slots, width in CELLS:
        panels: dict[str, dict[str, Credit]] = {"BPTT": {}, "SMT, losses of outputs": {}}
        for factor in SCALES:
            rows = [start(task, cell, slots, width, seed, factor) for seed in SEEDS]
            through, taught = zip(*rows, strict=True)
            name = f"weights x {factor:g}"
            panels["BPTT"][name] = middle(through)
            for future in taught[0]:
                target = name if future == "F = T" else f"{name}, {future}"
                panels["SMT, losses of outputs"][target] = middle([of[future] for of in taught])
        facts = {loss: {n: asdict(c) | {"per_step": c.per_step} for n, c in of.items()}
                 for loss, of in panels.items()}  # fmt: skip
        write("credit", task, {"cell": cell, "seeds": list(SEEDS), "panels": facts})
        picture(f"credit-{task}-{cell}", credit_figure(panels))


def start(
    task: str, cell: str, slots: int, width: int, seed: int, factor: float
) -> tuple[Credit, dict[str, Credit]]:
    """Of the last output, before any training: by BPTT, and by SMT for F = T and F = 1."""
    student = StudentConfig(cell, slots=slots, width=width)
    config = replace(recipe(task), student=student, seed=seed)
    source = open_data(config.data)
    own, teacher = build_networks(config, source)
    own = own if factor == 1.0 else scaled(own, factor)
    batch = last_output(source.batch(seed, 0, SEQUENCES))
    futures = {"F = T": config.smt} | ({} if factor != 1.0 else {"F = 1": short(config.smt)})
    taught = {n: smt_credit(own, teacher, smt, batch)["outputs"] for n, smt in futures.items()}
    return bptt_credit(own, batch), taught


def short(smt: SMTConfig) -> SMTConfig:
    return replace(smt, future=1)


def middle(credits: Any) -> Credit:
    """The median over seeds at every t."""
    norms = zip(*(credit.norms for credit in credits), strict=True)
    return Credit(credits[0].times, [statistics.median(column) for column in norms])


def sizes(*names: str) -> None:
    folders = [folder for name in names for folder in find_runs(name)]
    found = memory_loss_curve(load_summary(folder) for folder in folders)
    points = {budget: [asdict(p) for p in of] for budget, of in found.items()}
    write("frontier", " ".join(names), {"points": points})
    picture("frontier", frontier_figure(found))


def write(kind: str, task: str, facts: dict[str, Any]) -> None:
    row = {"kind": kind, "task": task} | finite(facts) | {
        "threads": 1, "machine": processor(), "date": datetime.date.today().isoformat(),
    }  # fmt: skip
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")


def picture(name: str, figure: Any) -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    path = PLACE / f"{name.replace(':', '')}.png"
    save_figure(path, figure)
    print(f"Picture: {path}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    asked = {"gap": gap, "credit": credit, "frontier": sizes}
    if sys.argv[1:2] and sys.argv[1] in asked and sys.argv[2:]:
        asked[sys.argv[1]](*sys.argv[2:])
    else:
        sys.exit(__doc__)
