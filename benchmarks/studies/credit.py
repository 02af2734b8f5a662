"""Credit of untrained networks: how much of the last output's loss reaches the memory at t.

    python -m benchmarks.studies.credit retrieval:64

By BPTT and by SMT, for three cells, with recurrent weights as they are, halved and doubled; medians
over seeds. Rows go to benchmarks/results/credit.jsonl. On one thread.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

import torch

from benchmarks.paths import RESULTS
from benchmarks.studies.files import append
from benchmarks.studies.training_runs import config_of, opened
from pastforward.analysis.credit import Credit, bptt_credit, last_output, scaled, smt_credit
from pastforward.analysis.evaluate import finite
from pastforward.cells import StudentConfig

SCALES, SEEDS = (0.5, 1.0, 2.0), (0, 1, 2)
CELLS = (("elman", 1, 128), ("gru", 1, 128), ("mlp", 4, 32))
SEQUENCES = 4


def main(task: str) -> None:
    """A row for each cell."""
    for cell, slots, width in CELLS:
        student = StudentConfig(cell, slots=slots, width=width)
        panels: dict[str, dict[str, Credit]] = {"BPTT": {}, "SMT, losses of outputs": {}}
        for factor in SCALES:
            found = [credit_of(task, student, seed, factor) for seed in SEEDS]
            name = f"weights x {factor:g}"
            panels["BPTT"][name] = median([bptt for bptt, _ in found])
            for future in found[0][1]:
                line = name if future == "F = T" else f"{name}, {future}"
                panels["SMT, losses of outputs"][line] = median([smt[future] for _, smt in found])
        facts = {loss: {name: asdict(c) | {"per_step": c.per_step} for name, c in of.items()}
                 for loss, of in panels.items()}  # fmt: skip
        row = {"task": task, "cell": cell, "seeds": list(SEEDS), "panels": finite(facts)}
        append(RESULTS / "credit.jsonl", f"python -m benchmarks.studies.credit {task}", row)


def credit_of(
    task: str, student: StudentConfig, seed: int, factor: float
) -> tuple[Credit, dict[str, Credit]]:
    """By BPTT, and by SMT for F = T and, with weights as they are, for F = 1."""
    config = replace(config_of(task, seed=seed), student=student)
    source, own, teacher = opened(config)
    own = own if factor == 1.0 else scaled(own, factor)
    batch = last_output(source.batch(seed, 0, SEQUENCES))
    futures = {"F = T": config.smt}
    if factor == 1.0:
        futures["F = 1"] = replace(config.smt, future=1)
    by_smt = {
        name: smt_credit(own, teacher, smt, batch)["outputs"] for name, smt in futures.items()
    }
    return bptt_credit(own, batch), by_smt


def median(found: Sequence[Credit]) -> Credit:
    """Over seeds, at every t."""
    norms = zip(*(credit.norms for credit in found), strict=True)
    return Credit(found[0].times, [statistics.median(column) for column in norms])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1]) if len(sys.argv) == 2 else sys.exit(__doc__)
