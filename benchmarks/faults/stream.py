"""A stream of a million steps, eager and compiled: memory stays flat, outputs are equal."""

import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.rows import ROWS, Tally, bar, write

CHECKS, WARM = 100, 0.1
"""How often both are compared, and after which share of all steps memory is measured first."""
GROWTH, STEP_GAP, GAP = 2.0, 1e-5, 1e-2
"""MiB that a process may grow by, and how far output parameters, of order 1, may be apart: after
one step from the same memory, and after all steps so far, as rounding differs."""
LONGEST = 64
"""Steps in a call, at most; each call takes as many as chance says."""


_KINDS = "outputs of the same step", "outputs after all steps"


def stream(steps: int = 1_000_000, cell: str = "gru", rows: Path = ROWS) -> int:
    """Feed both streams the same bytes, some in each call, and compare them every hundredth.

    Of a student with bytes in and out, as in benchmarks/speed/stream.py, with a memory of 64.
    """
    import torch

    torch.set_num_threads(1)
    tally, facts = Tally(), {"steps": steps, "cell": cell}
    streams = _streams(cell)
    memories = {name: one.start(1) for name, one in streams.items()}
    generator, each = torch.Generator().manual_seed(0), max(1, steps // CHECKS)
    resident, gaps, seconds, done_steps = dict[float, float](), [], dict.fromkeys(streams, 0.0), 0
    with bar(steps, "steps") as done, torch.inference_mode():
        while done_steps < steps:
            tokens = torch.randint(256, (1, min(each, steps - done_steps)), generator=generator)
            calls = _divided(tokens, generator)
            outputs = {}
            for name, one in streams.items():
                begin = time.process_time()
                for x in calls:
                    memories[name], outputs[name] = one.feed(memories[name], x)
                seconds[name] += time.process_time() - begin
            done_steps += tokens.shape[1]
            same = {n: s.step(memories["eager"], tokens[:, -1])[1] for n, s in streams.items()}
            gaps.append((_gap(same), _gap(outputs)))
            for kind, found, most in zip(_KINDS, gaps[-1], (STEP_GAP, GAP), strict=True):
                fault = f"{found:.2g} apart at step {done_steps}" if found > most else ""
                tally.add(kind, "checked", fault)
            resident[done_steps / steps] = _resident()
            done(done_steps)
    growth = max(resident.values()) - next(v for k, v in resident.items() if k >= WARM)
    flat = "" if growth <= GROWTH else f"grew by {growth:.1f} MiB"
    tally.add("flat memory", "measured", flat)
    facts |= {"growth_mib": round(growth, 3), "gaps": [max(g) for g in zip(*gaps, strict=True)]}
    facts |= {"median_gap": statistics.median(g for _, g in gaps), "cpu_us_a_step": {
        name: round(1e6 * spent / steps, 1) for name, spent in seconds.items()
    }}  # fmt: skip
    words = ["stream", "--steps", str(steps), "--cell", cell]
    return write(rows, words, facts | tally.row("stream"))


def _streams(cell: str) -> dict[str, Any]:
    import torch

    import pastforward as pf
    from pastforward.cells import StudentConfig
    from pastforward.student import build_student
    from pastforward.types import Signature, Tokens

    torch.manual_seed(0)
    kind = Tokens(256)
    student = build_student(StudentConfig(cell, 1, 64), Signature(kind, kind, 64)).eval()
    return {"eager": pf.Stream(student), "compiled": pf.compile_stream(student)}


def _divided(tokens: Any, generator: Any) -> list[Any]:
    """The same tokens `[1, N]` in calls of 1 to `LONGEST` steps."""
    import torch

    sizes, left = [], tokens.shape[1]
    while left:
        sizes.append(min(left, int(torch.randint(1, LONGEST + 1, (), generator=generator))))
        left -= sizes[-1]
    return list(tokens.split(sizes, 1))


def _gap(outputs: dict[str, Any]) -> float:
    return float((outputs["eager"] - outputs["compiled"]).abs().max())


def _resident() -> float:
    """MiB that the process holds."""
    import gc

    import psutil

    gc.collect()
    return psutil.Process().memory_info().rss / 2**20
