"""A stream of a million steps, eager and compiled: memory stays flat, outputs are equal."""

import gc
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.rows import ROWS, Tally, bar, write

MEASURED, WARM = 100, 0.1
"""How often memory is measured, and after which share of all steps first."""
GROWTH, GAP = 2.0, 1e-4
"""MiB that a process may grow by, and how far output parameters, of order 1, may be apart."""
LONGEST = 64
"""Steps in a call, at most; each call takes as many as chance says."""


def stream(steps: int = 1_000_000, cell: str = "gru", rows: Path = ROWS) -> int:
    """Feed an eager and a compiled stream the same bytes, and compare them after each call.

    Of a student with bytes in and out, as in benchmarks/speed/stream.py, with a memory of 64. Both
    begin each call from the memory that the eager one has reached: two streams that are left alone
    drift apart where the network itself enlarges differences, as two eager ones do.
    """
    import torch

    torch.set_num_threads(1)
    tally, streams, generator = Tally(), _streams(cell), torch.Generator().manual_seed(0)
    memory, resident, largest, count = streams["eager"].start(1), dict[float, float](), 0.0, 0
    seconds = dict.fromkeys(streams, 0.0)
    with bar(steps, "steps") as done, torch.inference_mode():
        while count < steps:
            size = min(steps - count, int(torch.randint(1, LONGEST + 1, (), generator=generator)))
            x, found = torch.randint(256, (1, size), generator=generator), {}
            for name, one in streams.items():
                begin = time.process_time()
                found[name] = one.feed(memory, x)
                seconds[name] += time.process_time() - begin
            count, memory, gap = count + size, found["eager"][0], _gap(found)
            largest = max(largest, gap)
            tally.add("outputs", "equal", f"{gap:.2g} apart at step {count}" if gap > GAP else "")
            if count * MEASURED // steps > len(resident):
                resident[count / steps] = _resident()
                done(count)
    growth = max(resident.values()) - next(v for k, v in resident.items() if k >= WARM)
    flat = "" if growth <= GROWTH else f"grew by {growth:.1f} MiB"
    tally.add("memory", "flat", flat)
    facts = {"steps": steps, "cell": cell, "growth_mib": round(growth, 3), "gap": largest}
    facts["cpu_us_a_step"] = {name: round(1e6 * s / steps, 1) for name, s in seconds.items()}
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


def _gap(found: dict[str, tuple[Any, Any]]) -> float:
    """Of memories and of output parameters."""
    pairs = zip(found["eager"], found["compiled"], strict=True)
    return max(float((one - other).abs().max()) for one, other in pairs)


def _resident() -> float:
    """MiB that the process holds."""
    import psutil

    gc.collect()
    return psutil.Process().memory_info().rss / 2**20
