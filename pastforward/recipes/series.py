"""L5. The recipe for series of numbers, to be forecast."""

from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.sizes import student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages
from pastforward.teacher import TeacherConfig
from pastforward.training import FitConfig

RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 2e-3, "bptt": 2e-3, "finetune": 1e-3}
_SHARES = {
    "smt+dmt": (("teacher", 0.04), ("smt", 0.1), ("dmt", 0.86)),
    "smt+dmt+bptt": (("teacher", 0.07), ("smt", 0.23), ("dmt", 0.2), ("bptt", 0.5)),
}
_POSITIONS = 4000
"""In a batch."""


def series(
    data: DataConfig, length: int, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp",
    width: int = 32,
) -> RunConfig:  # fmt: skip
    """Windows of T = `length` rows.

    What comes next depends on what is near, so the student's own outputs count most and target
    memories only start it.
    """
    return RunConfig(
        data=data,
        student=student_for(cell, slots=4, width=width),
        teacher=TeacherConfig(width=48),
        smt=SMTConfig(future=min(length, 16), anchors=1, uniformity=0.01, noise=0.05),
        dmt=DMTConfig(window=min(length, 256), dynamics=0.01, replay_steps=1),
        fit=FitConfig(batch=max(8, min(64, _POSITIONS // length)), weight_decay=0.05),
        budget=Budget(seconds=120.0),
        stages=stages(strategy, RATES, _SHARES),
    )
