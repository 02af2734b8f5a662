"""By torchrun: exit code 0 where ranks that share each sequence give what one process gives."""

import os
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import tiny
import torch
import torch.distributed as dist
from small_runs import SMALL, never

from pastforward.config import Stage
from pastforward.methods import SMTConfig
from pastforward.methods.base import Method
from pastforward.methods.smt import FrozenSMT, JointSMT, TeacherTraining
from pastforward.pieces import Piece, cut
from pastforward.student_file import load_student
from pastforward.training import DistConfig
from pastforward.training.distributed import barrier, connect, rank, world
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer

ENCODERS = ("linear", "state", "stack", "fourier", "delta", "window")
LENGTHS = (11, 8, 3)
"""Steps that two and three ranks share unequally, and as few as there are ranks."""
LOSSES = SMTConfig(
    future=4, anchors=3, consistency=0.5, input_decoding=0.3, uniformity=0.1, early_readout=0.5
)


def methods(encoder: str, kind: str, length: int) -> tuple[list[Method], list[torch.nn.Parameter]]:
    what = tiny.signature(kind, length)
    own = tiny.student(what, slots=3)
    teacher = tiny.teacher(what, own, encoder, True, window=3, depth=2)
    joint, frozen = JointSMT(own, teacher, LOSSES), FrozenSMT(own, teacher, LOSSES)
    found = [joint, frozen, TeacherTraining(teacher, LOSSES, own.readout)]
    return found, [*own.parameters(), *teacher.parameters()]


def require_same(encoder: str, kind: str, length: int) -> None:
    """Losses and all gradients, in double precision."""
    found, parameters = methods(encoder, kind, length)
    batch = tiny.batch(tiny.signature(kind, length))
    for method in found:
        sides = []
        for piece in (None, Piece(rank(), cut(length, world()), dist.group.WORLD)):
            for parameter in parameters:
                parameter.grad = None
            method.piece = piece
            losses = method.losses(batch, tiny.seeded(0))
            losses.total.backward()
            parts = [losses.total.detach().clone(), *losses.terms.values()]
            parts += tiny.gradients(parameters)
            if piece is not None:
                for part in parts:
                    dist.all_reduce(part)
            sides.append(parts)
        assert any(part.any() for part in sides[0])
        for a, b in zip(*sides, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def train(folder: Path) -> None:
    """A run whose sequences two ranks share is that of one process, by DDP as by FSDP2."""
    for mode in ("ddp", "fsdp"):
        config = replace(timed(), dist=DistConfig(mode, time=world()))
        run = Trainer(config, RunFolder(folder / mode))
        if rank() == 0:
            run.folder.prepare(config, IfExists.REFUSE)
        barrier()
        run.train((), never)
        assert run.fit.readers == world()  # BPTT cuts nothing: every rank reads its own
        barrier()


def timed():
    """Teacher, SMT, and a stage that can't be cut, without noise."""
    stages = tuple(Stage(name, 1 / 3, 1e-2) for name in ("teacher", "smt", "bptt"))
    teacher = replace(SMALL.teacher, encoder="linear", window=3)
    return replace(SMALL, stages=stages, teacher=teacher, smt=SMTConfig(), dist=DistConfig())


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_student(RunFolder(path).student)[0].state_dict()


if __name__ == "__main__":
    torch.set_num_threads(1)
    connect()
    for encoder, kind, length in product(ENCODERS, tiny.KINDS, LENGTHS):
        if length >= world():
            require_same(encoder, kind, length)
    if len(sys.argv) > 1:
        train(Path(sys.argv[1]))
    barrier()
    os._exit(0)
