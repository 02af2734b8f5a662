"""L5. String copy: hold T / 2 symbols, then say them again."""

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


def copy(way: str = USUAL_WAY, length: int = 32) -> RunConfig:
    """T = `length`; the memory and the windows grow with the string."""
    return RunConfig(
        data=DataConfig(f"copy:{length}"),
        student=StudentConfig("mlp", slots=8, width=max(16, length // 2)),
        smt=SMTConfig(noise=0.2, uniformity=0.02),
        dmt=DMTConfig(window=max(1, length // 2)),
        fit=FitConfig(batch=32),
        budget=Budget(seconds=600.0 if length <= 32 else 1200.0),
        stages=stages(way, RATES),
    )
