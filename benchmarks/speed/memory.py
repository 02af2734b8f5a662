"""L5. Peak memory of one step against T: SMT with few transitions a sequence, against BPTT.

Each step runs in a process of its own, whose peak resident size is read before and after.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch

from benchmarks.speed.measuring import BenchError, Row, require_same
from benchmarks.speed.networks import networks, symbols

SLOTS, TRANSITIONS, PIECE = 8, 64, 512
CELLS, LENGTHS, LONGEST = ("transformer", "mlp", "elman"), (256, 1024, 4096), 16384
JUDGED, TARGET, LIMIT = 4096, 10.0, 2048.0


def run() -> Iterator[Row]:
    """One sequence, a memory of 8 x 64, 64 transitions a sequence, depth 3, layers recomputed."""
    _require_parity()
    asked = [
        (cell, length, strategy)
        for cell in CELLS
        for length in LENGTHS
        for strategy in ("bptt", "smt")
    ]
    asked.append(("transformer", LONGEST, "smt"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # memory does not mind neighbours
        found = dict(zip(asked, pool.map(_peak, asked), strict=True))
    for cell in CELLS:
        for length in LENGTHS:
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
    """Labels and gradients of layers that are computed again are those of layers that are kept."""
    x, sides = symbols(2, 130).x, []
    for changes in ({"recompute": 64}, {}):
        encoder = networks(130, "mlp", SLOTS, "state", depth=3, **changes)[1].encoder.double()
        targets = encoder.targets(x)
        targets.cumsum(1).sin().sum().backward()
        gradients = [p.grad.flatten() for p in encoder.parameters() if p.grad is not None]
        sides.append(torch.cat([targets.detach().flatten(), *gradients]))
    require_same("a recomputed encoder", sides[0], sides[1], 1e-8)


def _peak(asked: tuple[str, int, str]) -> float:
    """MiB that a step of (cell, T, way) adds to a process that has taken a short one."""
    # Freed blocks go back at once, or the figure is about the allocator and not about the step.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.speed.one_step", *map(str, asked)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise BenchError(f"a step of {asked} failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)["mebibytes"]
