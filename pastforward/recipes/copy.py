"""L5. String copy: hold T / 2 symbols, then say them again."""

from dataclasses import replace

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
from pastforward.recipes.ways import USUAL_WAY, growing, stages

RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 1e-3, "bptt": 1e-3}
_LONG_RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 5e-4, "bptt": 1e-3}

SMALL = TeacherConfig(width=48, depth=2, heads=2, decoder_depth=1)
"""A quarter of the usual operations a step: many cheap steps teach more here than few dear ones."""


def copy(way: str = USUAL_WAY, length: int = 32) -> RunConfig:
    """T = `length`; the memory grows with the string."""
    config = RunConfig(
        data=DataConfig(f"copy:{length}"),
        student=StudentConfig("mlp", slots=8, width=max(16, length // 2)),
        teacher=SMALL,
        smt=SMTConfig(noise=0.2, uniformity=0.01, anchors=1, transitions=max(1, length // 4)),
        # The whole rollout, as in the paper: what is held decays a little each step, and a window
        # that ends before the recall never sees the loss of it. Labels steer, the readout decides.
        dmt=DMTConfig(window=length, dynamics=0.1),
        fit=FitConfig(batch=32),
        budget=Budget(seconds=600.0),
        stages=growing(stages(way, RATES), length),
    )
    return config if length <= 32 else _long(config, way)


def _long(config: RunConfig, way: str) -> RunConfig:
    """A long string wants more and gentler steps: a high rate in DMT undoes what SMT has learned.

    Tuned before `SMALL` and growing windows were, and not tried with them.
    """
    return replace(
        config,
        teacher=TeacherConfig(),
        smt=SMTConfig(noise=0.2, uniformity=0.02),
        fit=FitConfig(batch=16),
        budget=Budget(seconds=1800.0),
        stages=stages(way, _LONG_RATES),
    )
