"""L5. String copy: hold T / 2 symbols, then say them again."""

from pastforward.config import (
    Budget,
    DataConfig,
    DMTConfig,
    FitConfig,
    RunConfig,
    SMTConfig,
    StudentConfig,
    TeacherConfig,
)
from pastforward.recipes.strategies import DEFAULT_STRATEGY, growing, stages

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 3e-4, "bptt": 1e-3}

_TEACHER_FORCED_LR = 1e-3
"""Rate of windows from labels. DMT has less: at this one it undoes what they have learned."""


def copy(strategy: str = DEFAULT_STRATEGY, length: int = 32) -> RunConfig:
    """T = `length`; the memory grows with the string."""
    return RunConfig(
        data=DataConfig(f"copy:{length}"),
        # Labels turn; cells with a tanh can turn memories where it is straight.
        student=StudentConfig("mlp", slots=8, width=max(16, length // 4), scale=0.1),
        # All numbers hold for about as long as a symbol is kept; what fades sooner is of no use.
        teacher=TeacherConfig(initial_decay_time=length / 3),
        # Labels that lie close together can't be followed over more than a few steps.
        smt=SMTConfig(anchors=1, noise=0.2, uniformity=0.05),
        # The whole rollout, as in the paper: what is held decays a little each step, and a window
        # that ends before the recall never sees the loss of it. Labels steer, the readout decides.
        dmt=DMTConfig(window=length, dynamics=0.1),
        fit=FitConfig(batch=16),
        budget=Budget(seconds=300.0 if length <= 32 else 600.0),
        stages=growing(stages(strategy, RATES), length, _TEACHER_FORCED_LR),
    )
