"""A stream of a million steps, eager and compiled: memory stays flat, outputs are equal."""

import gc
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.rows import ROWS, Tally, bar, write

MEASURED, WARM = 100, 0.1
"""How often memory is measured, and after which share of all steps first."""
GROWTH, GAP, WORSE = 2.0, 1e-4, 10.0
"""MiB that a process may grow by; how far output parameters, of order 1, may be apart, and by how
many times a compiled call may be farther from float64 than the eager one where they are."""
LONGEST = 64
"""Steps in a call, at most; each call takes as many as chance says."""


def stream(steps: int = 1_000_000, cell: str = "gru", rows: Path = ROWS) -> int:
    """Feed an eager and a compiled stream the same bytes, and compare them after each call.

    Of a student with bytes in and out, as in benchmarks/speed/stream.py, with a memory of 64. Both
    begin each call from the memory that the eager one has reached: two streams that are left alone
    drift apart where the network itself enlarges differences, as two eager ones do. Within a call
    it may do so, too: calls that are more than GAP apart are compared with float64.
    """
    import torch

    torch.set_num_threads(1)
    tally, generator = Tally(), torch.Generator().manual_seed(0)
    streams, exact = _streams(cell)
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
            before, memory, gap = memory, found["eager"][0], _apart(*found.values())
            count += size
            largest = max(largest, gap)
            fault = _fault(exact, before, x, found, gap) if gap > GAP else ""
            tally.add("outputs", "equal", fault and f"{fault} at step {count}")
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


def _streams(cell: str) -> tuple[dict[str, Any], Any]:
    """Eager and compiled, and an eager one in float64."""
    import copy

    import torch

    import pastforward as pf
    from pastforward.cells import StudentConfig
    from pastforward.student import build_student
    from pastforward.types import Signature, Tokens

    torch.manual_seed(0)
    kind = Tokens(256)
    student = build_student(StudentConfig(cell, 1, 64), Signature(kind, kind, 64)).eval()
    streams = {"eager": pf.Stream(student), "compiled": pf.compile_stream(student)}
    return streams, pf.Stream(copy.deepcopy(student).double())


def _fault(exact: Any, memory: Any, x: Any, found: dict[str, Any], gap: float) -> str:
    """What is wrong with a compiled call; '' where the eager one is about as inexact."""
    true = exact.feed(memory.double(), x)
    errors = {name: _apart(true, ended) for name, ended in found.items()}
    if errors["compiled"] <= WORSE * errors["eager"]:
        return ""
    return f"{gap:.2g} apart, from float64 {errors}"


def _apart(one: tuple[Any, Any], other: tuple[Any, Any]) -> float:
    """Of memories and of output parameters."""
    pairs = zip(one, other, strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def _resident() -> float:
    """MiB that the process holds."""
    import psutil

    gc.collect()
    return psutil.Process().memory_info().rss / 2**20
