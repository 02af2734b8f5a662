"""Labelled sequences: SMT then DMT, BPTT with its best cell and rate, S4D, plain references.

    python -m benchmarks.studies.labelled smnist14 150              all rows, one after the other
    python -m benchmarks.studies.labelled smnist14 150 --part 1/2   every second one: two at a time
    PASTFORWARD_DATA=FOLDER ...                                     where FOLDER/mnist holds MNIST

Recipe and seconds of training of each run, on one thread: seconds of CPU time, which are those of
an idle core whatever else the machine does. BPTT is searched first, on seed 0 at the full budget:
four cells by two rates, two of them at a third; the best on the validation part then runs with the
other seeds. From 200 s on `nn.GRU` alone is searched, at its two best rates; below that, MNIST of
28 x 28 takes the best of 14 x 14. Rows go to benchmarks/results/labelled.jsonl: figures on the test
part, of the student alone. Rows that are there are not made again.
"""

import argparse
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import pastforward as pf
from benchmarks.paths import RESULTS
from benchmarks.studies.files import append, read_lines
from pastforward.analysis import evaluate
from pastforward.data.opening import open_data
from pastforward.recipes.resolve import resolve

PATH = RESULTS / "labelled.jsonl"
CELLS, RATES, SEEDS = ("torch-gru", "torch-lstm", "gru", "mlp"), (1e-3, 3e-3), (0, 1, 2)
HIGHER = (("torch-gru", 1e-2), ("gru", 1e-2))
"""Cells whose better rate was the higher one, at a higher one yet."""
LONG, LONG_TRIED = 200.0, (("torch-gru", 1e-3), ("torch-gru", 3e-3))
"""Seconds from which on these alone are searched: the best of 60 s, and the quickest a step."""
LIKE = {"smnist": "smnist14", "psmnist": "smnist14"}
"""Whose best cell and rate of BPTT a task takes at shorter budgets."""
BATCH = 32
"""Sequences in a batch of BPTT, for which larger ones cost less each."""
EVALUATIONS = 5
"""On the validation part while a network trains; the best of them is kept."""
SELECTED_ON, SEQUENCES, TRAINED_ON = 1000, 2000, 5000
"""Validation and test sequences that are measured; training ones that the references read."""


class Trained(NamedTuple):
    """A network and the method that trains it."""

    method: str
    cell: str
    lr: float | None = None
    """The recipe's rate when None."""


def main(task: str, seconds: float, part: tuple[int, int], only: Collection[str] = ()) -> None:
    """Make the rows that are missing, or those of them by some methods."""
    first = [(Trained("bptt", *one), 0) for one in searched(task, seconds)]
    fixed = Trained("smt+dmt", "mlp"), Trained("parallel", "s4d")
    others = [(one, seed) for seed in SEEDS for one in fixed]
    wanted = [row for row in first + others if not only or row[0].method in only]
    for one, seed in wanted[part[0] - 1 :: part[1]]:
        make(task, one, seed, seconds)
    if part[0] == part[1]:
        references(task, seconds)
    best = best_bptt(task, seconds)
    if best is not None:
        for seed in SEEDS[part[0] - 1 :: part[1]]:
            make(task, best, seed, seconds)


def make(task: str, one: Trained, seed: int, seconds: float) -> None:
    """Train and measure, unless the row is there."""
    key = {"task": task, "method": one.method, "cell": one.cell, "lr": one.lr, "seed": seed,
           "seconds": seconds}  # fmt: skip
    if any(key.items() <= row.items() for row in read_lines(PATH)):
        return
    name = "-".join(["labelled", task, one.method, one.cell, str(one.lr), str(seed)])
    run = pf.train(config_of(task, one), name=name, budget=pf.Budget(seconds=seconds), seed=seed,
                   if_exists="overwrite")  # fmt: skip
    valid, test = run.evaluate("valid", SELECTED_ON), run.evaluate("test", SEQUENCES)
    found = {
        "T": run.source.signature.length,
        "valid_accuracy": valid.student.accuracy,
        **figures(test.student),
        "teacher": test.teacher and figures(test.teacher),
        "one_step": test.drift and test.drift.one_step,
        "parameters": run.summary.facts["parameters"],
        "steps": run.summary.facts["steps"],
        "clock": "CPU",
    }
    append(PATH, f"python -m benchmarks.studies.labelled {task} {seconds:g}", key | found)


def config_of(task: str, one: Trained) -> pf.RunConfig:
    """The recipe's config; of BPTT with its own rate, batch and size."""
    parallel = one.method == "parallel"
    config = resolve(task, one.method, "mlp" if parallel else one.cell)
    fit = replace(config.fit, evaluations=EVALUATIONS)
    if parallel:
        return replace(config, fit=fit, baseline=pf.BaselineConfig(one.cell))
    if one.lr is None:
        return replace(config, fit=fit)
    # 128 units of each; an LSTM's memory holds h and c.
    slots = 2 if one.cell.endswith("lstm") else 1
    student = replace(config.student, slots=slots, width=128)
    stages = tuple(replace(stage, lr=one.lr) for stage in config.stages)
    fit = replace(fit, batch=max(config.fit.batch, BATCH))
    return replace(config, student=student, stages=stages, fit=fit)


def figures(score: Any) -> dict[str, Any]:
    """What a row keeps of a score."""
    classes = score.classes
    return {
        "nats": score.nats,
        "accuracy": score.accuracy,
        "macro_f1": classes and classes.macro_f1,
    }


def searched(task: str, seconds: float) -> list[tuple[str, float]]:
    """Cells and rates of BPTT that run on seed 0."""
    if seconds >= LONG:
        return list(LONG_TRIED)
    if task in LIKE:
        return []
    return [(cell, rate) for cell in CELLS for rate in RATES] + list(HIGHER)


def best_bptt(task: str, seconds: float) -> Trained | None:
    """The cell and rate with the best validation accuracy on seed 0; None until all are there."""
    key: dict[str, Any] = {"task": task, "method": "bptt", "seed": 0, "seconds": seconds}
    tried = searched(task, seconds)
    if not tried:
        tried = searched(LIKE[task], seconds)
        key = {"task": LIKE[task], "method": "bptt", "seed": 0}
    rows = [row for row in read_lines(PATH) if key.items() <= row.items()]
    rows = [row for row in rows if row["seconds"] < LONG or seconds >= LONG]
    rows = [row for row in rows if (row["cell"], row["lr"]) in tried]
    if len(rows) < len(tried):
        return None
    best = max(rows, key=lambda row: row["valid_accuracy"])
    return Trained("bptt", best["cell"], best["lr"])


def references(task: str, seconds: float) -> None:
    """Rows of a linear map and of the nearest neighbour, on whole sequences."""
    if any(row["task"] == task and row["method"] == "reference" for row in read_lines(PATH)):
        return
    source = open_data(resolve(task, "bptt").data)
    x, y = whole(iter([source.batch(0, 0, TRAINED_ON)]), source.signature.length)
    x_test, y_test = whole(source.held_out("test", 500, SEQUENCES), source.signature.length)
    for model in (LogisticRegression(max_iter=200), KNeighborsClassifier(1)):
        accuracy = float(model.fit(x, y).score(x_test, y_test))
        row = {"task": task, "method": "reference", "cell": type(model).__name__, "lr": None,
               "seed": 0, "accuracy": accuracy, "sequences": len(x)}  # fmt: skip
        append(PATH, f"python -m benchmarks.studies.labelled {task} {seconds:g}", row)


def whole(batches: Iterator[pf.Batch], length: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[N, T * C]` and the class at the end `[N]`."""
    xs, ys = [], []
    for x, y, mask in batches:
        values = x.unsqueeze(-1) if x.dim() == 2 else x
        padded = torch.nn.functional.pad(values, (0, 0, 0, length - values.shape[1]))
        xs.append(padded.flatten(1).float())
        ys.append(y[mask])
    return torch.cat(xs).numpy(), torch.cat(ys).numpy()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", help="a recipe of labelled sequences")
    parser.add_argument("seconds", type=float, help="of training of each run")
    parser.add_argument("--part", default="1/1", help="1/2 and 2/2: half of the rows each")
    parser.add_argument("--only", nargs="+", default=(), help="bptt, smt+dmt or parallel (S4D)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # the clock of budgets
    evaluate.LABELLED_SEQUENCES = 100  # what `train` measures at its end is not used here
    number, count = map(int, given.part.split("/"))
    main(given.task, given.seconds, (number, count), given.only)
