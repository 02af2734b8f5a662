"""L5. Handwritten digits as sequences of 64 pixels: the default of `make run`."""

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
from pastforward.recipes.ways import USUAL_WAY, stages

RATES = {"teacher": 3e-3, "smt": 3e-3, "dmt": 2e-3, "bptt": 2e-3}


def digits(way: str = USUAL_WAY) -> RunConfig:
    """T = 64, 17 grey levels, 1297 training images."""
    return RunConfig(
        data=DataConfig("digits"),
        student=StudentConfig("mlp", slots=4, width=32),
        teacher=TeacherConfig(encoder="state", depth=2),
        smt=SMTConfig(future=16, anchors=1, decoding=0.5, uniformity=0.01),
        dmt=DMTConfig(window=16, dynamics=0.3),
        fit=FitConfig(batch=32),
        budget=Budget(seconds=95.0),
        stages=stages(way, RATES),
    )
