"""L5. Retrieval: keep one marked symbol among many until it is asked for."""

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


def retrieval(way: str = USUAL_WAY, length: int = 128) -> RunConfig:
    """T = `length`; there is one output a sequence, so futures reach to the end."""
    return RunConfig(
        data=DataConfig(f"retrieval:{length}"),
        student=StudentConfig("mlp", slots=4, width=16),
        smt=SMTConfig(noise=0.2),
        dmt=DMTConfig(window=min(16, length)),
        fit=FitConfig(batch=32),
        budget=Budget(seconds=600.0),
        stages=stages(way, RATES),
    )
