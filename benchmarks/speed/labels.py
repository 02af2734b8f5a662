"""Target memories per second: one causal pass for all t, over two window passes a sequence."""

import statistics
from collections.abc import Iterator

import torch

from benchmarks.speed.cost import encoder_macs, window_macs
from benchmarks.speed.measuring import Row, interleaved, ratios, require_same
from benchmarks.speed.networks import DEPTH, WIDTH, networks, symbols

LENGTH, BATCH = 256, 16
TARGETS = {1: 100.0, 4: 50.0, 16: 20.0}
"""The ratio to reach, by K."""


@torch.no_grad()
def run() -> Iterator[Row]:
    """T = 256, D = 64, depth 4, width 64, 16 sequences; both eager."""
    x = symbols(BATCH, LENGTH).x
    for slots, target in TARGETS.items():
        causal = networks(LENGTH, slots=slots)[1].encoder
        window = networks(LENGTH, slots=slots, encoder="window")[1].encoder
        targets = causal.targets(x)
        for t in (1, LENGTH // 2, LENGTH):
            alone = causal.targets(x[:, :t])[:, -1]
            require_same(f"the target memory at t = {t}", targets[:, t], alone, 1e-4)
        times = torch.randint(LENGTH, (BATCH, 1), generator=torch.Generator().manual_seed(3))
        parts = {
            "ours": lambda e=causal: e.targets(x),
            "paper": lambda e=window, t=times: (e.targets_at(x, t), e.targets_at(x, t + 1)),
        }
        seconds = interleaved(parts, 6.0)
        ours = [BATCH * (LENGTH + 1) / s for s in seconds["ours"]]
        paper = [2 * BATCH / s for s in seconds["paper"]]
        ratio, spread = ratios(ours, paper)
        macs = encoder_macs(LENGTH, WIDTH, DEPTH, slots)
        fewer = window_macs(LENGTH, WIDTH, DEPTH, slots) / macs
        yield Row(
            "labels", f"K = {slots}", ratio, ">=", target, spread, statistics.median_high(ours),
            statistics.median_high(paper), "targets/s",
            f"{fewer:.0f}x fewer multiplications a target memory ({macs / 1e6:.2f} M)",
        )  # fmt: skip
