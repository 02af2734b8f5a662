"""Peak memory of one step against T: SMT with few transitions a sequence, against BPTT.

Each step runs in a process of its own, whose peak resident size is read before and after.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import torch

from benchmarks.speed.measuring import Row, require_same, run_module
from benchmarks.speed.networks import networks, symbols

SLOTS, TRANSITIONS, CHUNK = 8, 64, 512
CELLS, LENGTHS, LONGEST = ("transformer", "mlp", "elman"), (256, 1024, 4096), 16384
JUDGED, TARGET, LIMIT = 4096, 10.0, 2048.0


def run() -> Iterator[Row]:
    """One sequence, a memory of 8 x 64, 64 transitions a sequence, depth 3, layers recomputed."""
    _require_parity()
    asked = [*product(CELLS, LENGTHS, ("bptt", "smt")), ("transformer", LONGEST, "smt")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # memory does not depend on neighbours
        found = dict(zip(asked, pool.map(_peak, asked), strict=True))
    for cell, length in product(CELLS, LENGTHS):
        smt, bptt = found[cell, length, "smt"], found[cell, length, "bptt"]
        target = TARGET if length == JUDGED else None
        yield Row(
            "memory", f"{cell} cell, T = {length}", bptt / smt, ">=", target,
            (bptt / smt, bptt / smt), smt, bptt, "MiB",
            f"{1024 * smt / length:.1f} KiB a token against {1024 * bptt / length:.1f}",
        )  # fmt: skip
    smt = found["transformer", LONGEST, "smt"]
    yield Row(
        "memory", f"transformer cell, T = {LONGEST}, SMT alone", smt, "<=", LIMIT, (smt, smt), smt,
        LIMIT, "MiB", f"{1024 * smt / LONGEST:.1f} KiB a token",
    )  # fmt: skip


def _require_parity() -> None:
    """Targets and gradients are the same with layers recomputed and with layers kept."""
    x, sides = symbols(2, 130).x, []
    for changes in ({"recompute": 64}, {}):
        encoder = networks(130, "mlp", SLOTS, "state", depth=3, **changes)[1].encoder.double()
        targets = encoder.targets(x)
        targets.cumsum(1).sin().sum().backward()
        gradients = [p.grad.flatten() for p in encoder.parameters() if p.grad is not None]
        sides.append(torch.cat([targets.detach().flatten(), *gradients]))
    require_same("a recomputed encoder", sides[0], sides[1], 1e-8)


def _peak(asked: tuple[str, int, str]) -> float:
    """MiB that a step of (cell, T, method) adds to a process that has taken a short one."""
    # The allocator returns freed blocks at once; otherwise it would be measured, not the step.
    settings = {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    said, _ = run_module("benchmarks.speed.one_step", *map(str, asked), **settings)
    return json.loads(said)["mebibytes"]
