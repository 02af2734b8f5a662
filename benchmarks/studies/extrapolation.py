"""State tracking and formal languages beyond the trained length: who still knows the state?

    python -m benchmarks.studies.extrapolation s5 60                    all rows of a task
    python -m benchmarks.studies.extrapolation s5 60 --only smt+dmt     those of some methods
    python -m benchmarks.studies.extrapolation s5 60 --factors 1 3      with a search of rates

Trained on lengths up to 40 (words of formal languages from 3 on; where every output counts, all
prefixes of 40 steps), tested on words of 40 to 4,096 symbols, a student read as a stream at 65,536
too. Where every output counts, those of the second half do. Students by SMT then DMT beside their
teachers, BPTT with and without short sequences first, and networks that are linear over time, all
for SECONDS of CPU time on one thread. With several factors on the recipe's rates each row's method
is first tried with all of them for SECONDS on a seed that isn't reported. Rows go to
benchmarks/results/extrapolation.jsonl; rows that are there are not made again.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import pastforward as pf
from benchmarks.paths import RESULTS
from benchmarks.studies.files import append, read_lines
from benchmarks.studies.one_core import count_cpu_seconds
from pastforward.analysis.evaluate import frozen
from pastforward.data.sampling import generator
from pastforward.data.tasks.base import LONGEST
from pastforward.data.tasks.source import TaskSource
from pastforward.data.tasks.words import Word
from pastforward.recipes.resolve import resolve
from pastforward.runs.comparison.grid import SEARCH_SEED
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher

PATH = RESULTS / "extrapolation.jsonl"
LENGTHS, STREAMED = (40, 128, 256, 1024, 4096), LONGEST
TASKS = {
    "parity": "parity:40",
    "cyclic": "cyclic:40",
    "a5": "a5:40,elements=2",
    "s5": "s5:40,elements=2",
    "even_pairs": "even_pairs:41",
    "parity_check": "parity_check:41",
    "cycle_navigation": "cycle_navigation:41",
    "modular_simple": "modular_simple:41",
    "reverse_string": "reverse_string:80",
    "stack_manipulation": "stack_manipulation:81",
    "modular_brackets": "modular_brackets:41",
    "solve_equation": "solve_equation:41,shortest=3",
}
"""As they are trained."""
SEEDS = (0, 1, 2)
_STEPS = {"reverse_string": (2, 0), "stack_manipulation": (2, 1)}
"""T = a n + b of words of n symbols, where it isn't n + 1."""
_TEST, _COUNT, _STEPS_TESTED, _AT_ONCE = 2, 256, 2**16, 2**16
"""Stream of the test draws; sequences and steps tested at each length, more where one output a
sequence counts; steps in a batch."""


@dataclass(frozen=True)
class Trained:
    """A network and how it is trained."""

    method: str
    cell: str

    @property
    def is_student(self) -> bool:
        return self.method != "parallel"


ROWS = (
    Trained("smt+dmt", "mlp"), Trained("bptt", "mlp"), Trained("bptt-curriculum", "mlp"),
    Trained("bptt-curriculum", "torch-gru"), Trained("parallel", "s4d"),
    Trained("parallel", "mingru"), Trained("parallel", "delta"), Trained("parallel", "mamba2"),
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    task: str
    seconds: float
    factors: Sequence[float] = (1.0,)
    seeds: Sequence[int] = SEEDS
    path: Path = PATH

    @property
    def command(self) -> str:
        factors = " ".join(f"{factor:g}" for factor in self.factors)
        searched = "" if factors == "1" else f" --factors {factors}"
        return f"python -m benchmarks.studies.extrapolation {self.task} {self.seconds:g}{searched}"


def main(asked: Asked, rows: Sequence[Trained]) -> None:
    """Make the rows that are missing, seed by seed."""
    for seed in asked.seeds:
        for one in rows:
            make(asked, one, seed, best_factor(asked, one))


def best_factor(asked: Asked, one: Trained) -> float:
    """The factor with the best held-out accuracy on the seed of the search."""
    if len(asked.factors) == 1:
        return asked.factors[0]
    found = {factor: make(asked, one, SEARCH_SEED, factor) for factor in asked.factors}
    return max(found, key=lambda factor: found[factor]["valid_accuracy"])


def make(asked: Asked, one: Trained, seed: int, factor: float) -> dict[str, Any]:
    """The row: that which is there, or a new one."""
    key = {"task": TASKS[asked.task], "method": one.method, "cell": one.cell, "seed": seed,
           "factor": factor, "seconds": asked.seconds}  # fmt: skip
    known = (row for row in read_lines(asked.path) if key.items() <= row.items())
    if row := next(known, None):
        return row
    name = "-".join(["extrapolation", asked.task, one.method, one.cell, str(factor), str(seed)])
    run = pf.train(config_of(asked.task, one, factor), name=name, seed=seed,
                   budget=pf.Budget(seconds=asked.seconds), if_exists="overwrite")  # fmt: skip
    valid = run.evaluate("valid").student
    row = key | {
        "valid_accuracy": valid.accuracy,
        "lr": [stage.lr for stage in run.config.stages],
        "parameters": run.summary.facts["parameters"],
        "steps": run.summary.facts["steps"],
        "clock": "CPU",
    }
    if seed != SEARCH_SEED:
        row |= by_length(asked.task, run.student, run.teacher)
    append(asked.path, asked.command, row)
    return row


def config_of(task: str, one: Trained, factor: float) -> pf.RunConfig:
    """The recipe's config with its rates times a factor."""
    config = resolve(TASKS[task], one.method, one.cell if one.is_student else "mlp")
    stages = tuple(replace(stage, lr=factor * stage.lr) for stage in config.stages)
    baseline = None if one.is_student else pf.BaselineConfig(one.cell)
    return replace(config, stages=stages, baseline=baseline)


def by_length(task: str, network: Any, teacher: Any) -> dict[str, Any]:
    """Accuracy by length, of the network and of a teacher of memories."""
    found: dict[str, Any] = {"accuracy": {}, "teacher": {}}
    tested = [at(task, n) for n in LENGTHS]
    for n, source in zip(LENGTHS, tested, strict=True):
        found["accuracy"][n] = accuracy(source, lambda x: network(x)[0], network)
        if isinstance(teacher, Teacher):
            found["teacher"][n] = accuracy(source, outputs_of(teacher), teacher)
    if isinstance(network, Student) and task not in _STEPS:
        source = at(task, STREAMED)
        found["accuracy"][STREAMED] = accuracy(source, streamed(network), network)
    return found


def at(task: str, n: int) -> TaskSource:
    """The task in words of n symbols alone, as far as the longest sequence holds them."""
    name = TASKS[task]
    own = pf.open_source(name)
    assert isinstance(own, TaskSource)
    if not isinstance(own.task, Word):
        return own.at_length(n)
    times, more = _STEPS.get(task, (1, 1))
    length = min(times * n + more, LONGEST)
    longest = replace(own.task, length=length)
    return TaskSource(replace(longest, shortest=longest.of_length(longest.longest)))


def accuracy(source: TaskSource, outputs: Callable[[Tensor], Tensor], network: Any) -> float:
    """Of the outputs that count; where every one does, of those in the second half."""
    right = counted = 0
    with frozen(network):
        for x, y, mask in drawn(source):
            asked = mask.clone()
            if mask.all():
                asked[:, : mask.shape[1] // 2] = False
            right += int((outputs(x).argmax(-1) == y)[asked].sum())
            counted += int(asked.sum())
    return right / counted


def drawn(source: TaskSource) -> Iterator[pf.Batch]:
    """Test sequences, fewer the longer they are."""
    length = source.signature.length
    more = 4 if isinstance(source.task, Word) else 1
    left = max(4, min(_COUNT, more * _STEPS_TESTED // length))
    size, index = max(4, _AT_ONCE // length), 0
    while left > 0:
        count = min(left, size)
        random = source.task.draw(generator(length, _TEST, index), count)
        yield pf.Batch(*map(torch.from_numpy, source.task.build(random)))
        left, index = left - count, index + 1


def outputs_of(teacher: Teacher) -> Callable[[Tensor], Tensor]:
    return lambda x: teacher.readout(teacher.targets(x)[:, 1:])


def streamed(student: Student) -> Callable[[Tensor], Tensor]:
    """Outputs of a stream that is read some steps at a time."""

    def outputs(x: Tensor) -> Tensor:
        memory, found = None, []
        for part in x.split(4096, 1):
            parameters, memory = student(part, memory)
            found.append(parameters)
        return torch.cat(found, 1)

    return outputs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("seconds", type=float, help="of training of each run")
    parser.add_argument("--only", nargs="+", help="methods, or baselines by name")
    parser.add_argument("--factors", nargs="+", type=float, default=[1.0], help="on the rates")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=PATH, help="the file of rows")
    given = parser.parse_args()
    count_cpu_seconds()
    kept = [one for one in ROWS if not given.only or {one.method, one.cell} & {*given.only}]
    main(Asked(given.task, given.seconds, given.factors, given.seeds, given.out), kept)
