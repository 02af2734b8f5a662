"""L5. String copy: hold T / 2 symbols, then repeat them."""

from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.memory import student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages, with_growing_windows
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import LinearConfig
from pastforward.training.configs import FitConfig

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 3e-4, "bptt": 1e-3}

_TEACHER_FORCED_LR = 1e-3
"""DMT has less: at this rate it undoes what teacher-forced windows have learned."""


def copy(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp", length: int = 32) -> RunConfig:
    """T = `length`; the memory grows with the string."""
    return RunConfig(
        data=DataConfig(f"copy:{length}"),
        # Target memories rotate; a cell with a tanh can rotate a memory where the tanh is linear.
        student=student_for(cell, slots=8, width=max(16, length // 4), scale=0.1),
        # All modes hold for about as long as a symbol must be kept.
        teacher=TeacherConfig(encoder_config=LinearConfig(initial_decay_time=length / 3)),
        # Targets that lie close together can't be followed for more than a few steps.
        smt=SMTConfig(anchors=1, noise=0.2, uniformity=0.05),
        # The whole rollout, as in the paper: what is held decays a little each step, and a window
        # that ends before the recall has no loss there.
        dmt=DMTConfig(window=length, dynamics=0.1),
        fit=FitConfig(batch=16),
        budget=Budget(seconds=300.0 if length <= 32 else 600.0),
        stages=with_growing_windows(stages(strategy, RATES), length, _TEACHER_FORCED_LR),
    )
