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

RATES = {"teacher": 6e-3, "smt": 6e-3, "dmt": 4e-3, "bptt": 1e-3}


def digits(way: str = USUAL_WAY) -> RunConfig:
    """T = 64, 17 grey levels, 1297 training images."""
    return RunConfig(
        data=DataConfig("digits"),
        student=StudentConfig("mlp", slots=4, width=32),
        # Depth pays here: four narrow blocks learn twice as fast as two of width 64.
        teacher=TeacherConfig(encoder="state", width=48, depth=4, heads=2, decoder_depth=1),
        smt=SMTConfig(future=8, anchors=1, decoding=0.25, uniformity=0.01, noise=0.05),
        # Labels steer; what the student reads counts most. Following every detail of a label costs
        # it more than it brings where one grey level hardly depends on far ones.
        dmt=DMTConfig(window=16, dynamics=0.1, distil=1.0),
        fit=FitConfig(batch=32),
        budget=Budget(seconds=95.0),
        stages=stages(way, RATES),
    )
