"""Run as a module: the peak memory of one step, for the benchmark `memory`.

python -m benchmarks.speed.one_step CELL LENGTH smt|bptt
"""

import json
import resource
import sys
from pathlib import Path

import torch

from benchmarks.speed.memory import CHUNK, SLOTS, TRANSITIONS
from benchmarks.speed.networks import networks, symbols
from pastforward.methods import SMTConfig
from pastforward.methods.bptt import TruncatedBPTT
from pastforward.methods.smt import JointSMT
from pastforward.types import Batch


def main(cell: str, length: int, name: str) -> None:
    """Print `{"mebibytes": ...}`."""
    student, teacher = networks(length, cell, SLOTS, "state", depth=3, recompute=CHUNK)
    losses = SMTConfig(future=32, anchors=2, transitions=TRANSITIONS)
    smt = name == "smt"
    method = JointSMT(student, teacher, losses) if smt else TruncatedBPTT(student, length)
    batch, generator = symbols(1, length), torch.Generator().manual_seed(0)
    # A short step first, so that libraries, gradients of weights and small buffers do not count.
    method.accumulate_gradients(Batch(*(part[:, :8] for part in batch)), generator)
    before = peak_resident()
    method.accumulate_gradients(batch, generator)
    print(json.dumps({"mebibytes": peak_resident() - before}))


def peak_resident() -> float:
    """MiB of this process that were in physical memory at most.

    On Linux from /proc, which psutil does not read: `getrusage` counts the parent's peak as well.
    """
    status = Path("/proc/self/status")
    if status.exists():
        facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(facts["VmHWM"].split()[0]) / 1024
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
