"""DMT in windows: how long they are, and how often a batch is visited before a new one is labelled.

    python benchmarks/onpolicy.py start copy32             teacher and joint student, to start from
    python benchmarks/onpolicy.py cost copy32 8            milliseconds of each part of a step
    python benchmarks/onpolicy.py train copy32 8 all 3 60      k = 8, all up to 3 steps old, 60 s
    python benchmarks/onpolicy.py train copy32 8 labels 3 60   labels alone: a rollout at every step
    python benchmarks/onpolicy.py train copy32 8-32 all 3 60 1 k = 8, then 32; seed 1
    python benchmarks/onpolicy.py table                    all rows, in Markdown

All runs of a task start from one student, on one thread, and take as many steps as an idle machine
would in equally many seconds by the costs measured before. Rows go to
benchmarks/results/onpolicy.jsonl; stale + 1 is what the library calls visits.
"""

import datetime
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from solve import hardware
from torch import nn

from pastforward.analysis.evaluate import evaluate
from pastforward.config import Budget, DMTConfig, RunConfig
from pastforward.data.opening import open_data
from pastforward.data.source import Source
from pastforward.methods import METHODS
from pastforward.methods.base import Losses, Method, Transform
from pastforward.methods.dmt import WindowDMT
from pastforward.recipes import RECIPES
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.loop import Fit, fit
from pastforward.training.networks import build_networks
from pastforward.types import AnyBatch, BatchWithRollout, BatchWithTargets

START = {"copy32": (50.0, 150.0), "digits": (15.0, 35.0)}
"""Seconds of teacher and of joint training that a student starts from."""
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "onpolicy.jsonl"
PARTS = ("labels", "alone", "windows", "optimiser")


@dataclass(frozen=True)
class Job:
    task: str
    windows: tuple[int, ...]
    """k in equal shares of the steps."""
    kept: str
    stale: int
    seconds: float
    seed: int = 0


class Trial(Method):
    """What the library does not do: windows that grow, and a rollout at every visit."""

    def __init__(self, windows: WindowDMT, job: Job, configs: list[DMTConfig], steps: int) -> None:
        self.windows, self.replay_steps, self.step = windows, windows.replay_steps, 0
        self.configs, self.share = configs, -(-steps // len(configs))
        self.renewed = {"all": lambda batch: batch, "labels": self.run_again}[job.kept]

    def collect(self, batch: AnyBatch) -> AnyBatch:
        return self.windows.collect(batch)

    def modules(self) -> Iterable[nn.Module]:
        return self.windows.modules()

    def serial_calls(self, length: int) -> int:
        return self.windows.serial_calls(length)

    def compile(self, transform: Transform) -> None:
        self.windows.compile(transform)

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        self.windows.config = self.configs[self.step // self.share]
        self.step += 1
        return self.windows.losses(self.renewed(batch), generator)

    def run_again(self, batch: BatchWithRollout) -> BatchWithRollout:
        return self.windows.collect(BatchWithTargets(*batch[:4]))


def started(task: str) -> tuple[RunConfig, Source, Student, Teacher]:
    config = RECIPES[task]("smt+dmt")
    source = open_data(config.data)
    return config, source, *build_networks(config, source)


def weights(task: str) -> Path:
    return Path("runs/onpolicy") / f"{task}.safetensors"


def start(task: str) -> None:
    config, source, student, teacher = started(task)
    for stage, seconds in zip(config.stages, START[task], strict=False):
        method = METHODS[stage.method](student, teacher, config)
        fit(method, source, stage.lr, Budget(seconds=seconds), config.fit)
    weights(task).parent.mkdir(parents=True, exist_ok=True)
    save_file(nn.ModuleList([student, teacher]).state_dict(), weights(task))
    print(measured(student, teacher, source))


def restarted(task: str) -> tuple[RunConfig, Source, Student, Teacher]:
    config, source, student, teacher = started(task)
    nn.ModuleList([student, teacher]).load_state_dict(load_file(weights(task)))
    return config, source, student, teacher


def measured(student: Student, teacher: Teacher, source: Source) -> dict[str, Any]:
    found = evaluate(student, teacher, source, "valid")
    return {
        "nats": found.student.nats, "accuracy": found.student.accuracy,
        "teacher_nats": found.teacher.nats if found.teacher else None,
        "sequences": found.sequences,
    }  # fmt: skip


def train(job: Job) -> None:
    config, source, student, teacher = restarted(job.task)
    configs = [with_window(config, job, window, source) for window in job.windows]
    predicted = sum(predict(job, window) for window in job.windows) / len(job.windows)
    steps, lr = round(1000 * job.seconds / predicted), config.stages[-1].lr
    trial = Trial(WindowDMT(student, teacher, configs[0]), job, configs, steps)
    stage = Fit(trial, source, lr, Budget(steps=steps), config.fit, job.seed)
    begin = time.process_time()
    while stage.share() < 1.0:
        stage.step()
    spent = time.process_time() - begin
    row = {"kind": "train"} | asdict(job) | {
        "lr": lr, "dynamics": [c.dynamics for c in configs], "steps": steps,
        "predicted_ms": round(predicted, 1), "cpu_ms": round(1000 * spent / steps, 1),
        "wall_ms": round(1000 * stage.progress.seconds / steps, 1),
    }  # fmt: skip
    write(row | measured(student, teacher, source))


def with_window(config: RunConfig, job: Job, window: int, source: Source) -> DMTConfig:
    # On copy a short window never sees the recall: labels have to say what to hold.
    short = window < source.signature.length and job.task == "copy32"
    dynamics = 1.0 if short else config.dmt.dynamics
    return replace(config.dmt, window=window, replay_steps=job.stale + 1, dynamics=dynamics)


def predict(job: Job, window: int) -> float:
    """Milliseconds of a step: what is collected, shared by its visits, and what each visit does."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    row = [
        r for r in rows if (r["kind"], r["task"], r.get("window")) == ("cost", job.task, window)
    ][-1]
    alone = 0.0 if window == row["length"] else row["alone_ms"]
    replay_steps = job.stale + 1
    shared = {
        "all": (row["labels_ms"] + alone) / replay_steps,
        "labels": row["labels_ms"] / replay_steps + alone,
    }
    return shared[job.kept] + row["windows_ms"] + row["optimiser_ms"]


def cost(task: str, window: int) -> None:
    """Least of many timings of each part: what other work on the machine can't lengthen."""
    config, source, student, teacher = restarted(task)
    method = WindowDMT(student, teacher, replace(config.dmt, window=window))
    stage = Fit(method, source, 0.0, Budget(steps=1), config.fit)
    batch, generator = source.batch(0, 0, config.fit.batch), torch.Generator()
    collected = method.collect(batch)

    def targets() -> None:
        with torch.no_grad():
            teacher.targets(batch.x)

    def alone() -> None:
        with torch.no_grad():
            rollout(student.cell, student.start(len(batch.x)), student.embed(batch.x))

    def optimise() -> None:
        nn.utils.clip_grad_norm_(stage.parameters, 1.0)
        stage.optimiser.step(stage.lr)

    parts = {
        "labels": targets, "alone": alone,
        "windows": lambda: method.accumulate_gradients(collected, generator),
        "optimiser": optimise,
    }  # fmt: skip
    least = dict.fromkeys(parts, float("inf"))
    for _ in range(100):
        for name, part in parts.items():
            begin = time.perf_counter()
            part()
            least[name] = min(least[name], time.perf_counter() - begin)
    row = {f"{name}_ms": round(1000 * spent, 2) for name, spent in least.items()}
    length = source.signature.length
    write({"kind": "cost", "task": task, "window": window, "length": length} | row)


def write(row: dict[str, Any]) -> None:
    row |= {"threads": 1, "machine": hardware(), "date": datetime.date.today().isoformat()}
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def table() -> None:
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    print("| task | k | labels | rollout | windows | optimiser |\n|---|---|---|---|---|---|")
    for row in rows:
        if row["kind"] == "cost":
            parts = (f"{row[name + '_ms']:.1f}" for name in PARTS)
            print(f"| {row['task']} | {row['window']} | {' | '.join(parts)} |")
    print("\n| task | k | kept | stale | steps | ms predicted | ms taken | nats | right | seed |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    trained = (row for row in rows if row["kind"] == "train")
    for row in sorted(trained, key=lambda row: (row["task"], row["windows"], row["stale"])):
        k = "-".join(map(str, row["windows"]))
        print(f"| {row['task']} | {k} | {row['kept']} | {row['stale']} | {row['steps']} | "
              f"{row['predicted_ms']} | {row['cpu_ms']} | {row['nats']:.3f} | "
              f"{row['accuracy']:.1%} | {row['seed']} |")  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["start", task]:
            start(task)
        case ["cost", task, window]:
            cost(task, int(window))
        case ["train", task, windows, kept, stale, seconds, *seed]:
            lengths = tuple(map(int, windows.split("-")))
            train(Job(task, lengths, kept, int(stale), float(seconds), int([*seed, 0][0])))
        case ["table"]:
            table()
        case _:
            sys.exit(__doc__)
