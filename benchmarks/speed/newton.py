"""A step of SMT beside `torch.nn.GRU` through time and a GRU by parallel Newton, per token."""

import os
import statistics
from collections.abc import Iterator

from benchmarks.parallel_newton import ParallelNewton
from benchmarks.speed.bptt import DEPTH, LOSSES, SLOTS, TOKENS, fused_step
from benchmarks.speed.measuring import Row, interleaved, ratios
from benchmarks.speed.networks import SYMBOLS, WIDTH, networks, optimiser_step, symbols
from benchmarks.speed.rivals import FusedBPTT
from pastforward.baselines import BaselineConfig
from pastforward.baselines.build import parameters
from pastforward.methods.parallel import Parallel
from pastforward.methods.smt import JointSMT

LENGTHS, CELLS, ROUNDS = (256, 1024, 4096), ("elman", "gru"), 5
UNITS = SLOTS * WIDTH


def run() -> Iterator[Row]:
    """Every step trains 4,096 tokens; memories and states of 512 numbers, all eager.

    Ours and `torch.nn.GRU` have dense recurrent weights. The GRU by parallel Newton has diagonal
    ones, 512 units between maps from and to a width of 256.
    """
    for length in LENGTHS:
        yield from _rows(length)


def _rows(length: int) -> Iterator[Row]:
    batch, ours, rivals = symbols(TOKENS // length, length), {}, {}
    for cell in CELLS:
        student, teacher = networks(length, cell, SLOTS, "linear", depth=DEPTH, decoder_depth=1)
        ours[cell] = student, optimiser_step(JointSMT(student, teacher, LOSSES), batch)
    fused = FusedBPTT("gru", SYMBOLS, 64, UNITS)
    rivals["nn.GRU"] = fused, fused_step(fused, batch)
    newton = ParallelNewton(ours["gru"][0].signature, BaselineConfig(depth=1, width=UNITS // 2))
    rivals["parallel Newton"] = newton, optimiser_step(Parallel(newton), batch)
    steps = {name: step for name, (_, step) in (ours | rivals).items()}
    seconds = interleaved(steps, 0.0, ROUNDS)
    load = round(os.getloadavg()[0], 1)
    for cell, (student, _) in ours.items():
        for rival, (net, _) in rivals.items():
            ratio, spread = ratios(seconds[rival], seconds[cell])
            own, other = (1e6 * statistics.median(seconds[n]) / TOKENS for n in (cell, rival))
            weights = (f"{parameters(one) / 1e6:.2f} M" for one in (student, net))
            yield Row(
                "newton", f"{cell} cell against {rival}, T = {length}", ratio, ">=", 1.0, spread,
                own, other, "us/token", f"weights {' against '.join(weights)}; load {load}",
                {"load": load},
            )  # fmt: skip
