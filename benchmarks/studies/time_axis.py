"""One long sequence on one and two ranks, BPTT beside them, and a model for 8, 64 and 512.

    python -m benchmarks.studies.time_axis     writes benchmarks/results/time-axis.json

A step is one of joint SMT (`--dist.time P`) on one sequence: a teacher with attention to the last
64 inputs and a linear recurrence, a GRU cell of 16 numbers, one thread a rank. BPTT trains that
cell, and a student whose memory is `torch.nn.GRU`, through the whole sequence. Memory is what the
step adds to a rank's peak resident size; seconds are those of a step after the first. Where the
machine has other work, seconds say little: rows carry the load, and the CPU seconds of each rank.
Rows that are in the file are kept: delete it to measure all of them again.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isqrt
from typing import Any

import torch

from benchmarks.paths import RESULTS, ROOT
from benchmarks.speed.cost import block_macs, decoder_macs, student_macs
from pastforward.cells import StudentConfig
from pastforward.config import Budget
from pastforward.methods import SMTConfig
from pastforward.methods.base import Method
from pastforward.methods.bptt import bptt
from pastforward.methods.smt import JointSMT
from pastforward.provenance import provenance
from pastforward.student import Student, build_student
from pastforward.teacher import TeacherConfig
from pastforward.teacher.teacher import build_teacher
from pastforward.training import FitConfig
from pastforward.training.distributed import connect, from_ranks, rank, world
from pastforward.training.loop import Fit
from pastforward.types import Batch, Signature, Tokens

PATH = RESULTS / "time-axis.json"
COMMAND = "python -m benchmarks.studies.time_axis"
LENGTHS, RANKS = (65_536, 1_048_576), (1, 2)
SYMBOLS, WIDTH, WINDOW, SIZE, FUTURE, ANCHORS = 32, 16, 64, 16, 32, 16
REST = 5 * 8 + 3
"""Bytes a step that every rank has of all of a sequence: symbols, masks, and where anchors fit."""
MODELLED = (1, 2, 8, 64, 512)
SIDES = {"smt": "SMT", "bptt-gru": "BPTT, our GRU cell", "bptt-fused": "BPTT, torch.nn.GRU"}
LIMIT = 15
"""CPU seconds that BPTT's loop over single steps gets before it is given up."""


@dataclass(frozen=True)
class Asked:
    """One measurement."""

    side: str
    length: int
    ranks: int


class Random:
    """One random sequence, whose every symbol predicts the next."""

    def __init__(self, length: int) -> None:
        self.signature = Signature(Tokens(SYMBOLS), Tokens(SYMBOLS), length)

    def batch(self, seed: int, index: int, size: int) -> Batch:
        """Batch `index`."""
        generator = torch.Generator().manual_seed(index)
        x = torch.randint(SYMBOLS, (size, self.signature.length + 1), generator=generator)
        return Batch(x[:, :-1], x[:, 1:], torch.ones_like(x[:, 1:], dtype=torch.bool))


def student_of(side: str, signature: Signature) -> Student:
    """A memory of 1 x 16."""
    cell = "torch-gru" if side == "bptt-fused" else "gru"
    return build_student(StudentConfig(cell, 1, SIZE, embed=16, hidden=16), signature)


def method_of(side: str, signature: Signature) -> Method:
    """The method of a side."""
    torch.manual_seed(0)
    student = student_of(side, signature)
    if side != "smt":
        return bptt(student)
    config = TeacherConfig(width=WIDTH, depth=1, heads=2, window=WINDOW)
    teacher = build_teacher(config, signature, student.memory)
    return JointSMT(student, teacher, SMTConfig(future=FUTURE, anchors=ANCHORS))


def work(asked: Asked) -> None:
    """In a process of its own, or one of several: the row on stdout."""
    torch.set_num_threads(1)
    if asked.side != "smt":
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    connect()
    warm_up(asked.side)
    source = Random(asked.length)
    config = FitConfig(batch=1, warmup=1, compile="off")
    method = method_of(asked.side, source.signature)
    fit = Fit(method, source, 1e-3, Budget(steps=9), config, time=world())
    before, cpu, seconds = peak(), time.process_time(), []
    if asked.side == "smt" and "MALLOC_MMAP_MAX_" in os.environ:
        fit.step()  # the blocks that the next one gets again
        cpu = time.process_time()
    for _ in range(3 if asked.side == "smt" and asked.length < 500_000 else 1):
        begin = time.perf_counter()
        terms = fit.step()
        seconds.append(time.perf_counter() - begin)
    cpu = (time.process_time() - cpu) / len(seconds)
    found = from_ranks((statistics.median(seconds), cpu, peak() - before))
    if rank() == 0:
        each = list(zip(*found, strict=True))
        row = {"seconds": max(each[0]), "cpu": list(each[1]), "mebibytes": list(each[2])}
        print(json.dumps(row | {"loss": terms["loss"], "load": os.getloadavg()[0]}))


def warm_up(side: str) -> None:
    """A short step, so that no library is loaded in the one that is measured."""
    source = Random(4 * WINDOW)
    config = FitConfig(batch=1, warmup=1, compile="off")
    Fit(
        method_of(side, source.signature), source, 1e-3, Budget(steps=1), config, time=world()
    ).step()


def peak() -> float:
    """MiB of this process at most, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""The allocator returns freed blocks at once; otherwise it would be measured, not the step."""
SECONDS = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""It keeps them, as in a training of many steps; otherwise the kernel, which clears them, would be
measured."""


def measure(asked: Asked) -> dict[str, Any]:
    """The row of a measurement; a side that fails says why."""
    found = measured(asked, SECONDS)
    if "failed" in found:
        return found
    return found | {"mebibytes": measured(asked, MEMORY)["mebibytes"]}


def measured(asked: Asked, allocator: dict[str, str]) -> dict[str, Any]:
    """What a process, or each of several, tells of a step."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={asked.ranks}"]
    words = ["-m", "benchmarks.studies.time_axis", *map(str, asdict(asked).values())]
    done = subprocess.run(
        [sys.executable, *(launch if asked.ranks > 1 else []), *words], cwd=ROOT, text=True,
        env=os.environ | allocator | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=False,
    )  # fmt: skip
    row: dict[str, Any] = asdict(asked)
    if done.returncode:
        given_up = asked.side != "smt" and done.returncode < 0
        why = f"more than {LIMIT} CPU seconds" if given_up else f"exit code {done.returncode}"
        return row | {"failed": why, "load": os.getloadavg()[0]}
    return row | json.loads(done.stdout.splitlines()[-1])


def macs(length: int, ranks: int) -> dict[str, float]:
    """Multiplications of a rank's forward pass, by part, for a whole sequence."""
    steps = -(-length // ranks)
    halo = WINDOW - 1 if ranks > 1 else 0
    scanned = 2 * max(32, isqrt(steps)) * SIZE + WIDTH * SIZE
    readout = 2 * WIDTH * SIZE + 2 * WIDTH * SYMBOLS
    student = student_macs(student_of("smt", Random(1).signature))
    return {
        "Transformer, window": (steps + halo) * block_macs(2 * WINDOW, WIDTH),
        "recurrence": steps * scanned,
        "decoder": ANCHORS / ranks * decoder_macs(FUTURE, 8, WIDTH, 1),
        "cell and readouts": steps * (student + readout),
    }


def sent_bytes(ranks: int) -> float:
    """What a rank sends a step: gradients, and one state of each rank there and back."""
    signature = Random(1).signature
    weights = sum(p.numel() for p in method_of("smt", signature).parameters())
    return 0.0 if ranks == 1 else 2 * 4 * (weights + 2 * ranks * SIZE)


def modelled(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Seconds and memory for more ranks, from rates that one rank had at the shortest T."""
    first = next(r for r in rows if r["side"] == "smt" and "failed" not in r and r["ranks"] == 1)
    whole = sum(macs(first["length"], 1).values())
    rate = whole / first["cpu"][0]
    kept = first["mebibytes"][0] * 2**20 / first["length"] - REST
    for length in LENGTHS:
        for ranks in MODELLED:
            steps = -(-length // ranks) + (WINDOW - 1 if ranks > 1 else 0)
            count = sum(macs(length, ranks).values())
            yield {
                "side": "model", "length": length, "ranks": ranks, "macs": count,
                "seconds": count / rate, "sent": sent_bytes(ranks),
                "mebibytes": [(steps * kept + length * REST) / 2**20],
            }  # fmt: skip


def plan() -> list[Asked]:
    """What is measured; BPTT at the shorter T alone, and there it gets little time."""
    smt = [Asked("smt", length, ranks) for length in LENGTHS for ranks in RANKS]
    return smt + [Asked(side, LENGTHS[0], 1) for side in SIDES if side != "smt"]


def main(argv: list[str]) -> None:
    """Measure, model, write the rows and print them."""
    if argv:
        return work(Asked(argv[0], int(argv[1]), int(argv[2])))
    facts = {"command": COMMAND} | provenance() | {"threads": 1}
    rows = json.loads(PATH.read_text())["rows"] if PATH.exists() else []
    rows = [row for row in rows if row["side"] != "model" and "exit" not in row.get("failed", "")]
    for asked in plan():
        if not any(asdict(asked).items() <= row.items() for row in rows):
            rows.append(measure(asked) | facts)
            print(rows[-1], flush=True)
            _write(rows)
    _write([*rows, *(row | facts for row in modelled(rows))])
    print(f"Figures: {PATH}")


def _write(rows: list[dict[str, Any]]) -> None:
    PATH.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
