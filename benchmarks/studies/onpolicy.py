"""DMT in windows: how long they are, and how many optimiser steps a batch is used for.

    python -m benchmarks.studies.onpolicy start copy32          teacher and joint student, once
    python -m benchmarks.studies.onpolicy cost copy32 8         milliseconds of each part of a step
    python -m benchmarks.studies.onpolicy train copy32 8 4 30   k = 8, 4 replay steps, 30 s
    python -m benchmarks.studies.onpolicy train copy32 8-32 4 30 1     k = 8, then 32; seed 1

All trainings of a task start from one student, on one thread, and take as many steps as an idle
machine would take in that time, by the costs measured before. Rows go to
benchmarks/results/onpolicy.jsonl.
"""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from typing_extensions import override

from benchmarks.paths import RESULTS, RUNS
from benchmarks.studies.files import append, read_lines
from benchmarks.studies.training_runs import method_of, opened
from pastforward.analysis.evaluate import evaluate
from pastforward.config import Budget, RunConfig
from pastforward.data.source import Source
from pastforward.methods import DMTConfig
from pastforward.methods.base import Losses, Method, Transform
from pastforward.methods.dmt import WindowDMT
from pastforward.recipes import RECIPES
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.loop import Fit
from pastforward.types import AnyBatch

SECONDS = {"copy32": (50.0, 150.0), "digits": (15.0, 35.0)}
"""Of teacher and of joint training, that all students start from."""
PATH = RESULTS / "onpolicy.jsonl"
Started = tuple[RunConfig, Source, Student, Teacher]


@dataclass(frozen=True)
class Job:
    """A training."""

    task: str
    windows: tuple[int, ...]
    """k, in equal shares of the steps."""
    replay_steps: int
    seconds: float
    seed: int = 0


class GrowingWindows(Method):
    """WindowDMT whose windows grow during training."""

    def __init__(self, windows: WindowDMT, configs: list[DMTConfig], steps: int) -> None:
        """Each config is used for an equal share of `steps`."""
        self.windows, self.configs, self.step = windows, configs, 0
        self.replay_steps, self.share = windows.replay_steps, -(-steps // len(configs))

    @override
    def collect(self, batch: AnyBatch) -> AnyBatch:
        return self.windows.collect(batch)

    @override
    def modules(self) -> Iterable[nn.Module]:
        return self.windows.modules()

    @override
    def serial_calls(self, length: int) -> int:
        return self.windows.serial_calls(length)

    @override
    def compile(self, transform: Transform) -> None:
        self.windows.compile(transform)

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        self.windows.config = self.configs[self.step // self.share]
        self.step += 1
        return self.windows.losses(batch, generator)


def start(task: str) -> None:
    """Train teacher and student to start from, and keep their weights."""
    config, source, student, teacher = fresh(task)
    for stage, seconds in zip(config.stages, SECONDS[task], strict=False):
        method = method_of(stage.method, student, teacher, config)
        train_until_spent(Fit(method, source, stage.lr, Budget(seconds=seconds), config.fit))
    weights(task).parent.mkdir(parents=True, exist_ok=True)
    save_file(nn.ModuleList([student, teacher]).state_dict(), weights(task))
    print(measured(student, teacher, source))


def train_until_spent(stage: Fit) -> None:
    """Optimiser steps until the budget is spent."""
    while stage.share() < 1.0:
        stage.step()


def fresh(task: str) -> Started:
    """Untrained networks of the task's recipe."""
    config = RECIPES.load(task)("smt+dmt")
    return config, *opened(config)


def restarted(task: str) -> Started:
    """Networks as `start` left them."""
    config, source, student, teacher = fresh(task)
    nn.ModuleList([student, teacher]).load_state_dict(load_file(weights(task)))
    return config, source, student, teacher


def weights(task: str) -> Path:
    return RUNS / "onpolicy" / f"{task}.safetensors"


def train(job: Job, command: str) -> None:
    """Train and append a row."""
    config, source, student, teacher = restarted(job.task)
    configs = [with_window(config, job, window, source) for window in job.windows]
    predicted = sum(predict(job, window) for window in job.windows) / len(job.windows)
    steps, lr = round(1000 * job.seconds / predicted), config.stages[-1].lr
    method = GrowingWindows(WindowDMT(student, teacher, configs[0]), configs, steps)
    stage = Fit(method, source, lr, Budget(steps=steps), config.fit, job.seed)
    begin = time.process_time()
    train_until_spent(stage)
    spent = time.process_time() - begin
    row = {"kind": "train"} | asdict(job) | {
        "lr": lr, "dynamics": [c.dynamics for c in configs], "steps": steps,
        "predicted_ms": round(predicted, 1), "cpu_ms": round(1000 * spent / steps, 1),
        "wall_ms": round(1000 * stage.progress.seconds / steps, 1),
    }  # fmt: skip
    append(PATH, command, row | measured(student, teacher, source))


def with_window(config: RunConfig, job: Job, window: int, source: Source) -> DMTConfig:
    """The recipe's config with another window."""
    # In a copy task a short window never reaches the recall: targets have to say what to hold.
    short = window < source.signature.length and job.task == "copy32"
    dynamics = 1.0 if short else config.dmt.dynamics
    return replace(config.dmt, window=window, replay_steps=job.replay_steps, dynamics=dynamics)


def predict(job: Job, window: int) -> float:
    """Milliseconds of a step, with its share of what is collected once for all replay steps."""
    asked = {"kind": "cost", "task": job.task, "window": window}
    row = [row for row in read_lines(PATH) if asked.items() <= row.items()][-1]
    rollout = 0.0 if window == row["length"] else row["rollout_ms"]
    shared = (row["targets_ms"] + rollout) / job.replay_steps
    return shared + row["windows_ms"] + row["optimiser_ms"]


def cost(task: str, window: int, command: str) -> None:
    """Append a row with the shortest of many timings of each part, the least disturbed one."""
    config, source, student, teacher = restarted(task)
    method = WindowDMT(student, teacher, replace(config.dmt, window=window))
    stage = Fit(method, source, 0.0, Budget(steps=1), config.fit)
    batch, generator = source.batch(0, 0, config.fit.batch), torch.Generator()
    collected = method.collect(batch)

    def optimise() -> None:
        nn.utils.clip_grad_norm_(stage.parameters, 1.0)
        stage.optimiser.step(stage.lr)

    found = shortest({
        "targets": torch.no_grad()(lambda: teacher.targets(batch.x)),
        "rollout": torch.no_grad()(lambda: student.rollout(batch.x)),
        "windows": lambda: method.accumulate_gradients(collected, generator),
        "optimiser": optimise,
    })  # fmt: skip
    row = {f"{name}_ms": round(1000 * seconds, 2) for name, seconds in found.items()}
    length = source.signature.length
    append(PATH, command, {"kind": "cost", "task": task, "window": window, "length": length} | row)


def shortest(parts: dict[str, Callable[[], object]], rounds: int = 100) -> dict[str, float]:
    """Seconds of the fastest of many calls, interleaved."""
    least = dict.fromkeys(parts, float("inf"))
    for _ in range(rounds):
        for name, part in parts.items():
            begin = time.perf_counter()
            part()
            least[name] = min(least[name], time.perf_counter() - begin)
    return least


def measured(student: Student, teacher: Teacher, source: Source) -> dict[str, Any]:
    found = evaluate(student, teacher, source, "valid")
    return {
        "nats": found.student.nats, "accuracy": found.student.accuracy,
        "teacher_nats": found.teacher.nats if found.teacher else None,
        "sequences": found.sequences,
    }  # fmt: skip


def main(words: list[str]) -> None:
    """Do what the words say, or end with the usage."""
    command = " ".join(["python -m benchmarks.studies.onpolicy", *words])
    match words:
        case ["start", task]:
            start(task)
        case ["cost", task, window]:
            cost(task, int(window), command)
        case ["train", task, windows, replay_steps, seconds, *seed]:
            lengths = tuple(map(int, windows.split("-")))
            number = int([*seed, 0][0])
            train(Job(task, lengths, int(replay_steps), float(seconds), number), command)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
