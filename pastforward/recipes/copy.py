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
)
from pastforward.recipes.ways import USUAL_WAY, stages

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 1e-3, "bptt": 1e-3}
LONG = 32
"""T above which half of the symbols are still lost when DMT begins, which calls for more care."""


def copy(way: str = USUAL_WAY, length: int = 32) -> RunConfig:
    """T = `length`; the memory and the windows grow with the string."""
    window = max(1, length // 2)  # as long as a symbol is kept
    common = RunConfig(
        data=DataConfig(f"copy:{length}"),
        student=StudentConfig("mlp", slots=8, width=max(16, length // 2)),
        smt=SMTConfig(noise=0.2, uniformity=0.01),
        dmt=DMTConfig(window=window),
        fit=FitConfig(batch=32),
        budget=Budget(seconds=600.0),
        stages=stages(way, RATES),
    )
    if length <= LONG:
        return common
    return replace(
        common,
        smt=replace(common.smt, dynamics=3.0),
        # The readout's gradient through memories that have lost a symbol unlearns the rest.
        dmt=DMTConfig(window=window, own=0.5, readout=0.02),
        fit=FitConfig(batch=16),
        budget=Budget(seconds=1800.0),
        stages=stages(way, RATES | {"dmt": 2e-4}),
    )
