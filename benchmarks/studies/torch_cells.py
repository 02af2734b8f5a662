"""Cells of `torch.nn` as they are beside our own of the same kind, by SMT then DMT.

    python -m benchmarks.studies.torch_cells                 all rows that are missing
    python -m benchmarks.studies.torch_cells gru             one kind of cell alone: gru, lstm, rnn
    PASTFORWARD_DATA=FOLDER ...                              where FOLDER/mnist holds MNIST

Each run has the seconds of CPU time of its task, on one thread, by the recipe as it is. Rows go to
benchmarks/results/torch-cells.jsonl: figures on the test part, of the student alone.
`python -m benchmarks.studies.ship` makes a table of them.
"""

import argparse
import time
from typing import Any

import torch

import pastforward as pf
from benchmarks.paths import RESULTS
from benchmarks.studies.files import append, read_lines
from pastforward.recipes.resolve import resolve

PATH = RESULTS / "torch-cells.jsonl"
PAIRS = {
    "gru": ("gru", "torch-gru"),
    "lstm": ("lstm", "torch-lstm"),
    "rnn": ("elman", "torch-rnn"),
}
"""Our own cell, and that of torch."""
SECONDS = {"digits": 60.0, "pydoc": 60.0, "copy64": 90.0, "smnist14": 90.0}
SEEDS = (0, 1)
SEQUENCES = 1000
COMMAND = "python -m benchmarks.studies.torch_cells"


def main(kinds: list[str], seeds: list[int]) -> None:
    """Make the rows that are missing."""
    for seed in seeds:
        for kind in kinds:
            for task, seconds in SECONDS.items():
                for cell in PAIRS[kind]:
                    make({"task": task, "cell": cell, "seed": seed, "seconds": seconds}, kind)


def make(key: dict[str, Any], kind: str) -> None:
    """Train and measure, unless the row is there."""
    if any(key.items() <= row.items() for row in read_lines(PATH)):
        return
    config = resolve(key["task"], "smt+dmt", key["cell"])
    run = pf.train(
        config, name="-".join(["torch-cells", key["task"], key["cell"], str(key["seed"])]),
        budget=pf.Budget(seconds=key["seconds"]), seed=key["seed"], if_exists="overwrite",
    )  # fmt: skip
    test = run.evaluate("test", SEQUENCES)
    found = {
        "nats": test.student.nats,
        "accuracy": test.student.accuracy,
        "teacher_nats": test.teacher and test.teacher.nats,
        "teacher_accuracy": test.teacher and test.teacher.accuracy,
        "one_step": test.drift and test.drift.one_step,
        "parameters": run.summary.facts["parameters"],
        "steps": run.summary.facts["steps"],
        "clock": "CPU",
    }
    append(PATH, f"{COMMAND} {kind}", key | found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", default=list(PAIRS), choices=[*PAIRS, []])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # the clock of budgets
    main(given.kinds, given.seeds)
