"""L5. Handwritten digits as sequences of 64 pixels: the default of `make run`."""

from pastforward.config import (
    Budget,
    DataConfig,
    DMTConfig,
    FitConfig,
    RunConfig,
    SMTConfig,
    StudentConfig,
)
from pastforward.recipes.ways import USUAL_WAY, stages

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 1e-3, "bptt": 1e-3}


def digits(way: str = USUAL_WAY) -> RunConfig:
    """T = 64, 17 grey levels, 1297 training images."""
    return RunConfig(
        data=DataConfig("digits"),
        student=StudentConfig("mlp", slots=4, width=32),
        smt=SMTConfig(noise=0.1),
        dmt=DMTConfig(window=8),
        fit=FitConfig(batch=32),
        budget=Budget(seconds=95.0),
        stages=stages(way, RATES),
    )
