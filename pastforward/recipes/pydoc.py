"""L5. The help topics of the standard library, byte by byte."""

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


def pydoc(way: str = USUAL_WAY) -> RunConfig:
    """T = 128; the future is cut to 32 bytes, beyond which little of it can be known."""
    return RunConfig(
        data=DataConfig("pydoc"),
        student=StudentConfig("mlp", slots=4, width=32),
        smt=SMTConfig(future=32),
        dmt=DMTConfig(window=8),
        fit=FitConfig(batch=32),
        budget=Budget(seconds=180.0),
        stages=stages(way, RATES),
    )
