"""By torchrun: runs of DDP and FSDP2 go on, each for some steps: `cut_ranks.py PATH MODE STEPS`."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from small_runs import SMALL, StopAfter, never

from pastforward.config import Budget, RunConfig, Stage
from pastforward.data.opening import open_source
from pastforward.data.source import Source
from pastforward.methods import SMTConfig
from pastforward.teacher import TeacherConfig
from pastforward.training import DistConfig
from pastforward.training.checkpoints import read_checkpoint
from pastforward.training.distributed import barrier, connect, rank, world
from pastforward.training.engine import whole
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.state import tensors_of
from pastforward.training.trainer import Interrupted, Trainer
from pastforward.types import Batch

STEPS = 8
METHODS = ("teacher", "smt", "dmt-unroll", "bptt")
NO_NOISE = replace(
    SMALL,
    teacher=TeacherConfig("linear", width=16, depth=2, heads=2, decoder_depth=1),
    smt=SMTConfig(decoding=0.0, uniformity=0.0),
    budget=Budget(steps=STEPS),
    stages=tuple(Stage(name, 1 / len(METHODS), 1e-2) for name in METHODS),
    fit=replace(SMALL.fit, evaluations=4),
)
"""Without random numbers, so that parts of a batch give the same whatever rank has them."""


def config(mode: str) -> RunConfig:
    return replace(NO_NOISE, dist=DistConfig(mode))


def in_two_parts() -> tuple[RunConfig, Source]:
    """What one process trains as two ranks do: their batches as micro-batches of its own."""
    source = open_source("copy:8")
    inner, size = source.batch, NO_NOISE.fit.batch

    def joined(seed: int, index: int, asked: int) -> Batch:
        if asked != 2 * size:  # others are read to identify the data
            return inner(seed, index, asked)
        pair = zip(*(inner(seed, 2 * index + n, size) for n in (0, 1)), strict=True)
        return Batch(*map(torch.cat, pair))

    source.batch = joined
    return replace(NO_NOISE, fit=replace(NO_NOISE.fit, batch=2 * size, accumulate=2)), source


def go_on(path: Path, mode: str, steps: int) -> Trainer:
    """At most so many steps of the run, begun where it isn't there."""
    asked = config(mode)
    exists = IfExists.RESUME if (path / "config.json").exists() else IfExists.REFUSE
    barrier()
    run = Trainer(asked, RunFolder(path))
    if rank() == 0:
        run.folder.prepare(asked, exists)
    barrier()
    if exists is IfExists.RESUME:
        run.restore()
        require_restored(run)
    try:
        run.train((), StopAfter(steps) if steps < STEPS else never)
    except Interrupted:
        barrier()
    return run


def require_restored(run: Trainer) -> None:
    """Every rank has its part of what was saved, to the bit."""
    saved, _ = read_checkpoint(run.folder)
    held = {name: whole(tensor) for name, tensor in tensors_of(run).items()}
    assert held.keys() == saved.keys()
    assert all(torch.equal(held[name], tensor) for name, tensor in saved.items())
    cut = world() > 1 and run.config.dist.mode == "fsdp"
    parameters = list(run.network.parameters())
    assert cut == any(p.to_local().numel() < p.numel() for p in parameters if cut)


if __name__ == "__main__":
    torch.set_num_threads(1)
    connect()
    for place, mode, steps in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3], strict=True):
        go_on(Path(place), mode, int(steps))
    barrier()
    os._exit(0)  # as `pastforward.__main__`: torch's threads abort now and then at the end
