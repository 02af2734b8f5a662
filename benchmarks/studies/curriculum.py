"""BPTT with a curriculum over lengths: short sequences first, the same network.

    python -m benchmarks.studies.curriculum retrieval 32,64,128,256,512 120 --seed 0
    python -m benchmarks.studies.curriculum key_values,pairs=8 32,64 300 --seed 0
    python -m benchmarks.studies.curriculum copy 16,32,64,128 300 --seed 0

Task, lengths, seconds of training in all; half of them at the last length. The recipe's student, on
one thread. A row goes to benchmarks/results/curriculum.jsonl: outputs right at the last length on
held-out data, after every length.
"""

import argparse
from dataclasses import replace

import torch

from benchmarks.paths import RESULTS
from benchmarks.studies.files import append
from pastforward.analysis.evaluate import evaluate
from pastforward.config import Budget
from pastforward.data.opening import open_source
from pastforward.methods.bptt import bptt
from pastforward.recipes.names import at_length
from pastforward.recipes.resolve import resolve
from pastforward.student import build_student
from pastforward.training.fit import FitContext, fit

_POSITIONS = 2048


def main(task: str, lengths: list[int], seconds: float, rate: float, seed: int) -> None:
    """Train at each length in turn and add the row."""
    config = resolve(at_length(task, lengths[-1]), "bptt")
    whole = open_source(at_length(task, lengths[-1]))
    torch.manual_seed(seed)
    student = build_student(config.student, whole.signature)
    found = []
    for length, share in zip(lengths, shares(len(lengths)), strict=True):
        size = max(16, min(64, _POSITIONS // length) if length < lengths[-1] else config.fit.batch)
        fit(
            bptt(student), open_source(at_length(task, length)), rate,
            Budget(seconds=share * seconds), replace(config.fit, batch=size),
            FitContext(seed=seed),
        )  # fmt: skip
        score = evaluate(student, None, whole).student
        found.append({"length": length, "batch": size, "accuracy": score.accuracy})
        print(f"after T = {length}: {score.accuracy:.1%} right at T = {lengths[-1]}", flush=True)
    words = f"{task} {','.join(map(str, lengths))} {seconds:g} --lr {rate:g} --seed {seed}"
    row = {
        "task": task, "T": lengths[-1], "cell": config.student.cell, "seed": seed, "lr": rate,
        "seconds": seconds, "after": found, "accuracy": found[-1]["accuracy"],
    }  # fmt: skip
    append(RESULTS / "curriculum.jsonl", f"python -m benchmarks.studies.curriculum {words}", row)


def shares(count: int) -> list[float]:
    """Half of the time for the last length, the rest divided equally."""
    return [1.0] if count == 1 else [0.5 / (count - 1)] * (count - 1) + [0.5]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", help="a synthetic task without its length, as key_values,pairs=8")
    parser.add_argument("lengths", help="T of each part, short to long, with commas between")
    parser.add_argument("seconds", type=float, help="of training in all")
    parser.add_argument("--lr", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(
        given.task, [int(n) for n in given.lengths.split(",")], given.seconds, given.lr, given.seed
    )
