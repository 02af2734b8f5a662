"""A streamed token against a Transformer of equal size with a KV cache; memory over time."""

import statistics
from collections.abc import Iterator

import psutil
import torch

from benchmarks.speed.measuring import Row, interleaved, ratios
from benchmarks.speed.rivals import CachedTransformer
from benchmarks.speed.stream import STEPS, SYMBOLS, repeated, require_parity, student_of
from pastforward.cells import StudentConfig
from pastforward.inference.aot import AheadOfTime
from pastforward.inference.sampling import PLAIN, noise
from pastforward.inference.stream import Stream
from pastforward.student import build_student
from pastforward.types import Signature, Tokens

WIDTH, DEPTH, HEADS = 160, 3, 5
TARGETS = {1024: 3.0, 4096: 10.0, 16384: 30.0}
LONG, SMALL = 1_000_000, 64


@torch.inference_mode()
def run() -> Iterator[Row]:
    """A GRU of memory 512, sampling included, against width 160, depth 3, both float32, batch 1."""
    student = student_of("gru")
    fast, m = AheadOfTime(student, 1), student.start(1).clone()
    u = noise(Tokens(SYMBOLS), (1, STEPS), torch.Generator().manual_seed(0), m)
    require_parity(fast, m, u[:, :8])
    token = torch.tensor([3])
    for context, target in TARGETS.items():
        rival = CachedTransformer(SYMBOLS, WIDTH, DEPTH, HEADS, context).eval()
        parts = {
            "ours": lambda: fast.write(m, u, PLAIN),
            "rival": repeated(lambda rival=rival: rival(token), 4),
        }
        seconds = interleaved(parts, 3.0)
        ours = [1e6 * s / STEPS for s in seconds["ours"]]
        theirs = [1e6 * s / 4 for s in seconds["rival"]]
        ratio, spread = ratios(theirs, ours)
        sizes = [sum(p.numel() for p in net.parameters()) / 1e6 for net in (student, rival)]
        yield Row(
            "kv-cache", f"context {context}", ratio, ">=", target, spread,
            statistics.median(ours), statistics.median(theirs), "us/token",
            f"{sizes[0]:.2f} M and {sizes[1]:.2f} M parameters; the cache holds "
            f"{rival.cache.numel() * 4 / 1e6:.0f} MB, the memory {m.numel() * 4 / 1e3:.0f} KB",
        )  # fmt: skip
    yield _flat()


def _flat() -> Row:
    """Growth of the process over a million steps, of a small GRU so that they take seconds."""
    kind = Tokens(SYMBOLS)
    student = build_student(StudentConfig("gru", 1, SMALL), Signature(kind, kind, 8))
    stream, generator = Stream(student, AheadOfTime(student, 1)), torch.Generator().manual_seed(0)
    m = stream.generate(stream.start(1), LONG // 10, generator).m
    before = _resident()
    for _ in range(10):
        m = stream.generate(m, LONG // 10, generator).m
    grown = _resident() - before
    return Row(
        "kv-cache", f"MiB that memory grows in {LONG:,} steps", grown, "<=", 4.0, (grown, grown),
        grown, 0.0, "MiB", "outputs are dropped every 100,000 steps",
    )  # fmt: skip


def _resident() -> float:
    """MiB of this process in physical memory."""
    return psutil.Process().memory_info().rss / 2**20
