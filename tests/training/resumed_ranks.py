"""By torchrun: a run goes on with these ranks for some steps; each notes what it reads."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from small_runs import SMALL, StopAfter

from pastforward.config import RunConfig, Stage
from pastforward.data.opening import open_source
from pastforward.training.distributed import barrier, connect, rank, world
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Interrupted, Trainer


def config(method: str) -> RunConfig:
    return replace(SMALL, stages=(Stage(method, 1.0, 1e-2),))


def go_on(path: Path, method: str, steps: float, if_exists: IfExists = IfExists.RESUME) -> None:
    """At most so many steps; batches read are appended to a file of the number of ranks."""
    source, asked = open_source("copy:8"), config(method)
    inner, note = source.batch, path.with_suffix(f".{method}.{world()}-{rank()}")

    def noted(seed: int, index: int, size: int):
        if size == asked.fit.batch:  # others are read to identify the data
            with note.open("a") as file:
                file.write(f"{index}\n")
        return inner(seed, index, size)

    source.batch = noted
    run = Trainer(asked, RunFolder(path), source)
    if rank() == 0:
        run.folder.prepare(asked, if_exists)
    barrier()
    if if_exists is IfExists.RESUME:
        run.restore()
    try:
        run.train((), StopAfter(steps))
    except Interrupted:
        barrier()  # until rank 0 has saved


if __name__ == "__main__":
    torch.set_num_threads(1)
    connect()
    for name in sys.argv[2:]:
        go_on(Path(sys.argv[1], name), name, 4)
    barrier()
    os._exit(0)  # as `pastforward.__main__`: torch's threads abort now and then at the end
