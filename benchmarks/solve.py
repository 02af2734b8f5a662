"""Long-range tasks: does the network solve them alone, trained by SMT then DMT, and by BPTT?

    python benchmarks/solve.py copy32 smt+dmt mlp
    python benchmarks/solve.py copy32 bptt gru
    python benchmarks/solve.py table             the newest row of each, as README shows them

Each job trains on one thread for the task's seconds. BPTT gets the best of three learning rates,
chosen by held-out loss after a tenth of that time each, and batches of 32. Rows go to
benchmarks/results/solve.jsonl; the runs lie in runs/solve/. Two jobs may run side by side on two
cores.
"""

import datetime
import json
import platform
import sys
from dataclasses import replace
from pathlib import Path

import torch

from pastforward.analysis.evaluate import evaluate
from pastforward.config import Budget, RunConfig
from pastforward.recipes import RECIPES
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.stopping import stop_signals
from pastforward.training.trainer import Trainer

SECONDS = {"copy32": 600.0, "retrieval128": 600.0, "copy64": 1800.0}
RATES = (3e-4, 1e-3, 3e-3)
RESULTS = Path(__file__).parent / "results" / "solve.jsonl"


def hardware() -> str:
    """Processor by name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


class Lines:
    """A line of progress now and then."""

    def stage(self, name: str, number: int, of: int) -> None:
        self.next = 0.0
        print(f"stage {number + 1} of {of}: {name}", flush=True)

    def step(self, stage, terms: dict[str, float], valid: float | None) -> None:
        if stage.progress.seconds >= self.next:
            self.next += 30.0
            print(f"{stage.progress.seconds:6.0f} s, step {stage.progress.step}: loss "
                  f"{terms['loss']:.4f}, held out {valid}", flush=True)  # fmt: skip


def configure(task: str, strategy: str, cell: str, seconds: float) -> RunConfig:
    config = RECIPES[task](strategy)
    student = replace(config.student, cell=cell)
    fit = replace(config.fit, batch=32) if strategy == "bptt" else config.fit
    return replace(config, student=student, fit=fit, budget=Budget(seconds=seconds))


def with_rate(config: RunConfig, lr: float) -> RunConfig:
    return replace(config, stages=tuple(replace(stage, lr=lr) for stage in config.stages))


def train(config: RunConfig, name: str) -> Trainer:
    folder = RunFolder(Path("runs/solve") / name)
    folder.prepare(config, IfExists.OVERWRITE)
    run = Trainer(config, folder)
    with stop_signals() as stopping:
        run.train(Lines(), stopping)
    return run


def search(task: str, strategy: str, cell: str) -> RunConfig:
    """The config with the best of three learning rates, after a tenth of the time each."""
    short = configure(task, strategy, cell, SECONDS[task] / 10)
    losses = {}
    for lr in RATES:
        losses[lr] = train(with_rate(short, lr), f"{task}-{strategy}-{cell}-{lr:g}").selection.best
        print(f"learning rate {lr:g}: held out {losses[lr]:.4f}", flush=True)
    full = configure(task, strategy, cell, SECONDS[task])
    return with_rate(full, min(losses, key=lambda lr: losses[lr]))


def main(task: str, strategy: str, cell: str) -> None:
    torch.set_num_threads(1)
    config = (
        search(task, strategy, cell)
        if strategy == "bptt"
        else configure(task, strategy, cell, SECONDS[task])
    )
    run = train(config, f"{task}-{strategy}-{cell}")
    teacher = None if strategy == "bptt" else run.teacher
    found = evaluate(run.student, teacher, run.source, "test", 1024)
    row = {
        "task": task, "strategy": strategy, "cell": cell, "lr": [stage.lr for stage in config.stages],
        "batch": config.fit.batch, "parameters": sum(p.numel() for p in run.student.parameters()),
        "accuracy": found.student.accuracy, "nats": found.student.nats,
        "teacher_nats": found.teacher.nats if found.teacher else None,
        "sequences": found.sequences, "seed": config.seed, "seconds": run.spent.seconds,
        "steps": run.spent.step, "threads": 1, "machine": hardware(),
        "date": datetime.date.today().isoformat(),
    }  # fmt: skip
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=1))


def table() -> None:
    """The newest row of each task, way and cell, in Markdown."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    newest = {(row["task"], row["strategy"], row["cell"]): row for row in rows}
    print("| task | trained by | cell | asked symbols right | nats | seconds |")
    print("|---|---|---|---|---|---|")
    for (task, strategy, cell), row in sorted(newest.items()):
        right, nats, seconds = row["accuracy"], row["nats"], row["seconds"]
        print(f"| {task} | {strategy} | {cell} | {right:.1%} | {nats:.4f} | {seconds:.0f} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["table"]:
        table()
    elif len(sys.argv) == 4:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)
