"""L5. Key-values: hold all pairs until their keys are asked for."""

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
from pastforward.recipes.ways import USUAL_WAY, WAYS, growing, stages

RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 5e-4, "bptt": 1e-3}

_MORE_TEACHER = {"smt+dmt": (("teacher", 0.22), ("smt", 0.38), ("dmt", 0.4))}
_FOLLOW = 1e-3
_POSITIONS = 2048


def key_values(way: str = USUAL_WAY, length: int = 64) -> RunConfig:
    """T = `length`; 16 keys, as is usual.

    A slot for every key: a register can then ask for one key wherever it stands. With 8 slots for
    16 keys the teacher looks values up when they are asked for and its memories hold no pairs.
    """
    window = min(64, length)
    return RunConfig(
        data=DataConfig(f"key_values:{length}"),
        student=StudentConfig("mlp", slots=16, width=16),
        teacher=TeacherConfig("registers", depth=2, heads=2, decoder_depth=2, sharpness=2.0),
        # Outputs at every t, few of which count, are what finds the pairs: no sampled transitions.
        smt=SMTConfig(anchors=2, noise=0.05, uniformity=0.01, pull=0.3),
        dmt=DMTConfig(window=window, dynamics=0.1),
        fit=FitConfig(batch=max(8, min(32, _POSITIONS // length))),
        budget=Budget(seconds=600.0),
        stages=growing(stages(way, RATES, WAYS | _MORE_TEACHER), window, _FOLLOW),
    )
