"""Text in bytes, characters and tokens: bits a byte after the same seconds of CPU time.

    PASTFORWARD_DATA=FOLDER python -m benchmarks.studies.tokens          all rows, one by one
    PASTFORWARD_DATA=FOLDER python -m benchmarks.studies.tokens --part 1/2   every second one

FOLDER/tinystories holds train.txt and valid.txt, stories apart by <|endoftext|>. The recipe of
text for SMT then DMT; BPTT at two rates on seed 0, the better on the validation part with the other
seeds. Windows are about 256 bytes long in every unit. One thread; seconds are of CPU time, as of an
idle core whatever else the machine does. Rows go to benchmarks/results/tokens.jsonl: figures on the
whole test part, of the student alone. Rows that are there are not made again.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

import pastforward as pf
from benchmarks.paths import RESULTS
from benchmarks.studies.files import append, read_lines
from pastforward.analysis import evaluate
from pastforward.data import DataConfig, TextConfig
from pastforward.recipes.resolve import resolve

PATH = RESULTS / "tokens.jsonl"
COMMAND = "python -m benchmarks.studies.tokens"
UNITS = {"bytes": 256, "chars": 256, "bpe:512": 128, "bpe:4096": 64}
"""T by unit: windows of about as many bytes."""
END = r"\n<|endoftext|>\n"
SECONDS, SEEDS, RATES = 60.0, (0, 1, 2), (1e-3, 3e-3)
EVALUATIONS, WHOLE = 4, 100_000


class Trained(NamedTuple):
    """A unit and how a network is trained on it."""

    unit: str
    method: str
    lr: float | None = None
    """The recipe's rates when None."""


def main(part: tuple[int, int]) -> None:
    """Make the rows that are missing, those of a seed after those of the one before."""
    first = [(Trained(unit, "bptt", rate), 0) for unit in UNITS for rate in RATES]
    smt = [(Trained(unit, "smt+dmt"), seed) for seed in SEEDS for unit in UNITS]
    wanted = smt[: len(UNITS)] + first + smt[len(UNITS) :]
    for one, seed in wanted[part[0] - 1 :: part[1]]:
        make(one, seed)
    for seed in SEEDS[1:]:
        for unit in list(UNITS)[part[0] - 1 :: part[1]]:
            best = best_bptt(unit)
            if best is not None:
                make(best, seed)


def make(one: Trained, seed: int) -> None:
    """Train and measure, unless the row is there."""
    key = {"unit": one.unit, "method": one.method, "lr": one.lr, "seed": seed, "seconds": SECONDS}
    if any(key.items() <= row.items() for row in read_lines(PATH)):
        return
    name = "-".join(["tokens", one.unit.replace(":", ""), one.method, str(one.lr), str(seed)])
    run = pf.train(config_of(one), name=name, budget=pf.Budget(seconds=SECONDS), seed=seed,
                   if_exists="overwrite")  # fmt: skip
    valid, test = (run.evaluate(split, WHOLE) for split in ("valid", "test"))
    about = run.source.describe()
    found = {
        "T": run.source.signature.length,
        "vocabulary": about["vocabulary"],
        "bytes a symbol": sum(about["bytes"].values()) / sum(about["symbols"].values()),
        "valid": valid.student.bits_per_byte,
        "bits_per_byte": test.student.bits_per_byte,
        "nats": test.student.nats,
        "teacher": test.teacher and test.teacher.bits_per_byte,
        "unigram": test.student.bits_per_byte * test.references["unigram"] / test.student.nats,
        "parameters": run.summary.facts["parameters"],
        "steps": run.summary.facts["steps"],
        "clock": "CPU",
    }
    append(PATH, COMMAND, key | found)


def config_of(one: Trained) -> pf.RunConfig:
    """The recipe's config, of BPTT with its own rate."""
    folder = Path(os.environ["PASTFORWARD_DATA"]) / "tinystories"
    options = TextConfig(one.unit, END)
    data = DataConfig(str(folder), UNITS[one.unit], options)
    config = resolve(str(folder), one.method, "mlp", data)
    config = replace(config, fit=replace(config.fit, evaluations=EVALUATIONS))
    if one.lr is None:
        return config
    stages = tuple(replace(stage, lr=one.lr) for stage in config.stages)
    return replace(config, stages=stages)


def best_bptt(unit: str) -> Trained | None:
    """BPTT with the better validation loss on seed 0; None until both rates were tried."""
    key: dict[str, Any] = {"unit": unit, "method": "bptt", "seed": 0, "seconds": SECONDS}
    rows = [row for row in read_lines(PATH) if key.items() <= row.items()]
    if len(rows) < len(RATES):
        return None
    return Trained(unit, "bptt", min(rows, key=lambda row: row["valid"])["lr"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", default="1/1", help="1/2 and 2/2: half of the rows each")
    parser.add_argument("--rows", type=Path, default=PATH, help="file that rows are added to")
    given = parser.parse_args()
    if "PASTFORWARD_DATA" not in os.environ:
        parser.error("PASTFORWARD_DATA names no folder; let it be that of tinystories/.")
    PATH = given.rows
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # the clock of budgets
    evaluate.SEQUENCES = 64  # what `train` measures at its end is not used here
    number, count = map(int, given.part.split("/"))
    main((number, count))
