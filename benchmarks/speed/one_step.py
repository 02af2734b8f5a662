"""L5. Run as a module: the peak memory of one step, for `bench memory`.

python -m benchmarks.speed.one_step CELL LENGTH smt|bptt
"""

import json
import sys

import torch

from benchmarks.speed.memory import PIECE, SLOTS, TRANSITIONS
from benchmarks.speed.networks import networks, symbols
from pastforward.config import SMTConfig
from pastforward.hardware import resident
from pastforward.methods.bptt import TruncatedBPTT
from pastforward.methods.smt import JointSMT
from pastforward.types import Batch


def main(cell: str, length: int, strategy: str) -> None:
    """Print `{"mebibytes": ...}`."""
    student, teacher = networks(length, cell, SLOTS, "state", depth=3, recompute=PIECE)
    losses = SMTConfig(future=32, anchors=2, transitions=TRANSITIONS)
    smt = strategy == "smt"
    method = JointSMT(student, teacher, losses) if smt else TruncatedBPTT(student, length)
    batch, generator = symbols(1, length), torch.Generator().manual_seed(0)
    # A short step first: libraries, weights' gradients and small buffers are no news.
    method.accumulate_gradients(Batch(*(part[:, :8] for part in batch)), generator)
    before = resident(peak=True)
    method.accumulate_gradients(batch, generator)
    print(json.dumps({"mebibytes": resident(peak=True) - before}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
