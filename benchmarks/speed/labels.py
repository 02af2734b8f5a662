"""L5. Memory labels per second: one causal pass for all t, over two window passes a sequence."""

from collections.abc import Iterator

import torch

from benchmarks.speed.cost import encoder_macs, window_macs
from benchmarks.speed.measuring import Row, interleaved, ratios, require_same
from benchmarks.speed.networks import DEPTH, WIDTH, networks, symbols

LENGTH, BATCH = 256, 16
TARGETS = {1: 100.0, 4: 50.0, 16: 20.0}


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
            require_same(f"the label at t = {t}", targets[:, t], alone, 1e-4)
        times = torch.randint(LENGTH, (BATCH, 1), generator=torch.Generator().manual_seed(3))
        parts = {
            "ours": lambda causal=causal: causal.targets(x),
            "paper": lambda window=window, t=times: (window.at(x, t), window.at(x, t + 1)),
        }
        seconds = interleaved(parts, 6.0)
        ours = [BATCH * (LENGTH + 1) / s for s in seconds["ours"]]
        paper = [2 * BATCH / s for s in seconds["paper"]]
        ratio, spread = ratios(ours, paper)
        here = encoder_macs(LENGTH, WIDTH, DEPTH, slots)
        if_exists = window_macs(LENGTH, WIDTH, DEPTH, slots)
        yield Row(
            "labels", f"K = {slots}", ratio, ">=", target, spread,
            sorted(ours)[len(ours) // 2], sorted(paper)[len(paper) // 2], "labels/s",
            f"{if_exists / here:.0f}x fewer multiplications a label ({here / 1e6:.2f} M)",
        )  # fmt: skip
