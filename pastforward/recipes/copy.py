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
    """T = `length`; the memory grows with the string."""
    # A long string wants more and gentler steps: a high rate in DMT undoes what SMT has learned.
    long = length > 32
    return RunConfig(
        data=DataConfig(f"copy:{length}"),
        student=StudentConfig("mlp", slots=8, width=max(16, length // 2)),
        smt=SMTConfig(noise=0.2, uniformity=0.02 if long else 0.01),
        # The whole rollout, as in the paper: what is held decays a little each step, and a window
        # that ends before the recall never sees the loss of it. Labels steer, the readout decides.
        dmt=DMTConfig(window=length, dynamics=0.1),
        fit=FitConfig(batch=16 if long else 32),
        budget=Budget(seconds=1800.0 if long else 600.0),
        stages=stages(way, RATES | {"dmt": 5e-4} if long else RATES),
    )
