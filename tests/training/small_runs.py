"""A run of three stages that takes a second, and ways to stop it."""

import errno
import os
from dataclasses import replace
from pathlib import Path

from pastforward.baselines import BaselineConfig
from pastforward.cells import StudentConfig
from pastforward.config import Budget, RunConfig, Stage
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.teacher import TeacherConfig
from pastforward.training import FitConfig
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer

SMALL = RunConfig(
    data=DataConfig("copy:8"),
    student=StudentConfig("gru", slots=2, width=8, embed=4, hidden=8),
    teacher=TeacherConfig("state", width=16, depth=1, heads=2, decoder_depth=1),
    smt=SMTConfig(noise=0.1),
    dmt=DMTConfig(window=4, on_policy_fraction=0.5, replay_steps=2),
    fit=FitConfig(batch=4, warmup=2, evaluations=9),
    budget=Budget(steps=9),
    stages=(Stage("teacher", 1 / 3, 1e-2), Stage("smt", 1 / 3, 1e-2), Stage("dmt", 1 / 3, 1e-2)),
)
"""Three steps a stage, an evaluation after each."""

BPTT = replace(SMALL, stages=(Stage("bptt", 1.0, 1e-2),))
CURRICULUM = replace(
    SMALL, stages=(Stage("bptt", 0.5, 1e-2, length=4), Stage("bptt", 0.5, 1e-2))
)  # fmt: skip

DISTILL = replace(SMALL, stages=(Stage("transformer", 1 / 3, 1e-2), Stage("distill", 2 / 3, 1e-2)))
RTRL = replace(SMALL, stages=(Stage("rtrl", 1.0, 1e-2),))
BASELINE = replace(
    SMALL,
    baseline=BaselineConfig("s4d", depth=1, hidden=8),
    stages=(Stage("parallel", 1.0, 1e-2),),
)


class StopAfter:
    """Asks to stop once `count` steps were taken."""

    def __init__(self, count: float) -> None:
        self.left = count

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def never() -> bool:
    return False


def begin(path: Path, config: RunConfig = SMALL, if_exists: IfExists = IfExists.REFUSE) -> Trainer:
    run = Trainer(config, RunFolder(path))
    run.folder.prepare(config, if_exists)
    if if_exists is IfExists.RESUME:
        run.restore()
    return run


def whole(path: Path, config: RunConfig = SMALL) -> Trainer:
    """A run from beginning to end."""
    run = begin(path, config)
    run.train((), never)
    return run
