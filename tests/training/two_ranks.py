"""By torchrun: exit code 0 where two ranks train as one process with the joint batch does."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from small_runs import SMALL, StopAfter, begin, never
from uneven import BATCH, TASKS, Uneven, gradients, off

from pastforward.config import Budget
from pastforward.data.opening import open_source
from pastforward.methods.bptt import bptt
from pastforward.student import build_student
from pastforward.training import FitConfig
from pastforward.training.distributed import barrier, connect, disconnect, rank
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.loop import Fit
from pastforward.training.trainer import Interrupted, Trainer
from pastforward.types import Batch

SOURCE = open_source("copy:8")
CONFIG = FitConfig(batch=4, warmup=1, compile="off")
STEPS = 3


class Joint:
    """Batch i is batches 2i and 2i+1 of the source."""

    signature = SOURCE.signature

    def batch(self, seed: int, index: int, size: int) -> Batch:
        pairs = zip(*(SOURCE.batch(seed, 2 * index + n, size // 2) for n in (0, 1)), strict=True)
        return Batch(*(torch.cat(pair) for pair in pairs))


def weights(source, config: FitConfig, seed: int) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    student = build_student(SMALL.student, SOURCE.signature)
    fit = Fit(bptt(student), source, 1e-2, Budget(steps=STEPS), config)
    for _ in range(STEPS):
        fit.step()
    return [p.detach().clone() for p in student.parameters()]


def bptt_gradients(source, accumulate: int, size: int = BATCH) -> torch.Tensor:
    torch.manual_seed(0)
    student = build_student(SMALL.student, source.signature).double()
    return gradients(bptt(student), source, accumulate, size)


def assert_equal_on_ranks(tensors: list[torch.Tensor]) -> None:
    for tensor in tensors:
        others = [torch.empty_like(tensor) for _ in range(2)]
        dist.all_gather(others, tensor.detach().contiguous())
        assert torch.equal(*others)


def stopped_and_resumed(path: Path) -> Trainer:
    """Rank 0 alone is asked to stop: both stop at the same step, and go on as one run."""
    run = Trainer(SMALL, RunFolder(path))
    if rank() == 0:
        run.folder.prepare(SMALL, IfExists.REFUSE)
    barrier()
    try:
        run.train((), StopAfter(4 if rank() == 0 else 1e9))
    except Interrupted:
        assert (run.number, run.fit.progress.step) == (1, 1)
    barrier()
    run = begin(path, SMALL, IfExists.RESUME)
    run.train((), never)
    return run


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    alone = weights(Joint(), FitConfig(batch=8, warmup=1, compile="off"), seed=0)
    whole = {
        name: bptt_gradients(Uneven(source.thinned, joined=2), 1, 2 * BATCH)
        for name, source in TASKS.items()
    }
    connect()
    assert dist.get_world_size() == 2
    together = weights(SOURCE, CONFIG, seed=rank())  # rank 0's weights are shared out
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    assert_equal_on_ranks(together)
    for name, right in whole.items():
        for accumulate in (1, 2, 4):
            error = off(bptt_gradients(TASKS[name], accumulate), right)
            assert error < 1e-6, f"{name}, {accumulate} parts: off by {error:.2g}"

    run = stopped_and_resumed(folder / "broken")
    assert_equal_on_ranks(list(run.network.parameters()))
    unbroken = RunFolder(folder / "unbroken")
    if rank() == 0:
        unbroken.prepare(SMALL, IfExists.REFUSE)
    barrier()
    other = Trainer(SMALL, unbroken)
    other.train((), never)
    for a, b in zip(run.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(a, b)
    barrier()
    disconnect()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
