"""A full optimiser step per transition trained, over the paper's one transition a sequence."""

import statistics
from collections.abc import Iterator
from dataclasses import replace

import torch

from benchmarks.speed.cost import decoder_macs, encoder_macs, student_macs
from benchmarks.speed.measuring import Row, interleaved, ratios, require_same
from benchmarks.speed.networks import DEPTH, WIDTH, networks, optimiser_step, symbols
from pastforward.methods import SMTConfig
from pastforward.methods.smt import JointSMT
from pastforward.types import Batch

LENGTH, BATCH, SLOTS, TARGET = 256, 16, 4, 50.0
LOSSES = SMTConfig(future=32, anchors=1)


def run() -> Iterator[Row]:
    """T = 256, K = 4, D = 64, 16 sequences, one future of 32 each; both eager."""
    batch = symbols(BATCH, LENGTH)
    for cell in ("mlp", "transformer"):
        ours = JointSMT(*networks(LENGTH, cell, SLOTS), LOSSES)
        paper = JointSMT(*networks(LENGTH, cell, SLOTS, "window"), replace(LOSSES, transitions=1))
        _require_parity(ours, batch)
        parts = {"ours": optimiser_step(ours, batch), "paper": optimiser_step(paper, batch)}
        seconds = interleaved(parts, 10.0)
        rates = [BATCH * LENGTH / s for s in seconds["ours"]]
        rivals = [BATCH / s for s in seconds["paper"]]
        ratio, spread = ratios(rates, rivals)
        yield Row(
            "step", f"{cell} cell", ratio, ">=", TARGET, spread, statistics.median_high(rates),
            statistics.median_high(rivals), "transitions/s", _shares(ours),
        )  # fmt: skip


@torch.no_grad()
def _require_parity(method: JointSMT, batch: Batch) -> None:
    """Target memories of a few times are those of a pass for all times."""
    encoder, times = method.teacher.encoder, torch.tensor([[0, 1, 63, LENGTH]]).expand(BATCH, -1)
    few, every = encoder.targets_at(batch.x, times), encoder.targets(batch.x)
    require_same("target memories of the times asked", few, every[:, times[0]], 1e-4)


def _shares(method: JointSMT) -> str:
    parts = {
        "encoder": encoder_macs(LENGTH, WIDTH, DEPTH, SLOTS),
        "decoder": decoder_macs(32, SLOTS, WIDTH, 2) / LENGTH,
        "cell and readout": student_macs(method.student),
    }
    whole = sum(parts.values())
    shares = ", ".join(f"{name} {part / whole:.0%}" for name, part in parts.items())
    return f"{whole / 1e6:.2f} M multiplications a step of the sequence: {shares}"
