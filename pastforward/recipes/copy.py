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

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 2e-4, "bptt": 1e-3}


def copy(way: str = USUAL_WAY, length: int = 32) -> RunConfig:
    """T = `length`; the memory and the windows grow with the string."""
    return RunConfig(
        data=DataConfig(f"copy:{length}"),
        student=StudentConfig("mlp", slots=8, width=max(16, length // 2)),
        smt=SMTConfig(dynamics=3.0, noise=0.2, uniformity=0.01),
        # Windows as long as a symbol is kept; the readout's own gradient through memories that
        # have lost it would unlearn the rest.
        dmt=DMTConfig(window=max(1, length // 2), own=0.5, readout=0.02),
        fit=FitConfig(batch=32 if length <= 32 else 16),
        budget=Budget(seconds=600.0 if length <= 32 else 1800.0),
        stages=stages(way, RATES),
    )
