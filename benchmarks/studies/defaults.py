"""What choosing by trials loses to recipes tuned by hand, which know the task.

    python -m benchmarks.studies.defaults 120            all tasks
    python -m benchmarks.studies.defaults 120 copy:64    some

On each task SMT then DMT by its hand-made recipe, and with `--targets auto`, which sees the data
alone. Both train for SECONDS of CPU time on one thread; trials come before, and their seconds are
told. Rows go to benchmarks/results/defaults.jsonl; rows that are there are not made again.
"""

import argparse
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

import pastforward as pf
from benchmarks.paths import RESULTS
from benchmarks.studies.files import append, read_lines
from benchmarks.studies.one_core import count_cpu_seconds
from pastforward.files import read_json
from pastforward.recipes.targets import AUTO
from pastforward.runs.places import RUNS
from pastforward.runs.request import TrainOptions

PATH = RESULTS / "defaults.jsonl"
TASKS = (
    "copy:64", "retrieval:128", "key_values:32", "s5:32,elements=2", "parity:128",
    "regression:64", "reversed_copy:64,delimiter=1", "stack:64", "smnist14",
)  # fmt: skip
WAYS = "tuned", AUTO
HEAD = ("task", "seconds", "tuned by hand", "by trials", "targets", "trials, seconds", "apart")


def main(tasks: Sequence[str], seconds: float, seed: int = 0, path: Path = PATH) -> None:
    """Make the rows that are missing."""
    for task in tasks:
        for way in WAYS:
            key = {"task": task, "way": way, "seed": seed, "seconds": seconds}
            if not any(key.items() <= row.items() for row in read_lines(path)):
                row = key | made(task, way, seconds, seed)
                command = f"python -m benchmarks.studies.defaults {seconds:g} {task}"
                append(path, command, row)


def made(task: str, way: str, seconds: float, seed: int) -> dict[str, Any]:
    """Held-out figures of the student and its teacher, and what was chosen."""
    console = Console(file=StringIO(), width=1000)
    options = TrainOptions(targets=AUTO if way == AUTO else None, console=console)
    run = pf.train(
        task, name=f"defaults-{task}-{way}-{seed}", seed=seed, budget=pf.Budget(seconds=seconds),
        if_exists="overwrite", options=options,
    )  # fmt: skip
    found = run.evaluate("test")
    assert found.teacher is not None
    row = {
        "accuracy": found.student.accuracy,
        "nats": found.student.nats,
        "teacher_accuracy": found.teacher.accuracy,
        "encoder": run.config.teacher.encoder,
    }
    return row | (chosen(console.file.getvalue()) if way == AUTO else {})  # pyright: ignore


def chosen(said: str) -> dict[str, Any]:
    """What the trials found, from the file that the run has told of."""
    name = said.rpartition(f"trials in {RUNS}/trials/")[2].split()[0]
    trials = read_json(RUNS / "trials" / name)["trials"]
    spent = sum(trial["seconds"] for trial in trials)
    longest = max(trial["seconds"] for trial in trials)
    best = min((t for t in trials if t["seconds"] == longest), key=lambda trial: trial["nats"])
    return {"targets": best["targets"], "trial_seconds": spent, "trials": trials}


def defaults_table() -> str:
    """A line for each task, then how the rows were made."""
    rows = read_lines(PATH)
    if not rows:
        return "not run yet (`python -m benchmarks.studies.defaults`)."
    where = ", ".join(sorted({f"{row['hardware']}, {row['date']}" for row in rows}))
    commands = sorted({row["command"].rpartition(" ")[0] for row in rows})
    note = f"`{', '.join(commands)}` (seconds of CPU time, one thread; seed(s) "
    note += f"{', '.join(sorted({str(row['seed']) for row in rows}))}; {where}; "
    note += f"`benchmarks/results/{PATH.name}`)"
    lines = [f"| {' | '.join(cells)} |" for cells in (HEAD, ["---"] * len(HEAD), *_cells(rows))]
    return "\n".join([*lines, "", note])


def _cells(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[str]]:
    for task, seconds in dict.fromkeys((row["task"], row["seconds"]) for row in rows):
        found = {way: [r for r in rows if (r["task"], r["way"]) == (task, way)] for way in WAYS}
        if not all(found.values()):
            continue
        tuned, auto = (_mean(found[way]) for way in WAYS)
        names = dict.fromkeys(row["targets"] for row in found[AUTO])
        spent = sum(row["trial_seconds"] for row in found[AUTO]) / len(found[AUTO])
        yield (
            task, f"{seconds:g}", f"{tuned:.1%}", f"{auto:.1%}", ", ".join(names), f"{spent:g}",
            f"{100 * (auto - tuned):+.1f} points",
        )  # fmt: skip


def _mean(rows: Sequence[dict[str, Any]]) -> float:
    return sum(row["accuracy"] for row in rows) / len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("seconds", type=float)
    parser.add_argument("tasks", nargs="*", default=TASKS)
    asked = parser.parse_args()
    count_cpu_seconds()
    main(asked.tasks, asked.seconds)
