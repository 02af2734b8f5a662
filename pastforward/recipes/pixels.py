"""L5. Images pixel by pixel: what lies above a pixel is a row of steps away."""

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
from pastforward.recipes.strategies import DEFAULT_STRATEGY, STRATEGIES, stages

RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 2e-3, "bptt": 1e-3}

_SHARES = {
    "smt+dmt": (("teacher", 0.25), ("smt", 0.25), ("dmt", 0.5)),
    "smt+dmt+bptt": (("teacher", 0.2), ("smt", 0.2), ("dmt", 0.3), ("bptt", 0.3)),
}
"""For images: a student that pulls at labels too soon makes them forget the row above."""

_FUTURE, _WINDOW, _POSITIONS = 16, 16, 2048


def pixels(
    data: DataConfig, length: int, columns: int, strategy: str = DEFAULT_STRATEGY
) -> RunConfig:
    """T = `length` pixels in rows of `columns`, for few grey levels.

    Futures span two rows: a memory that holds less than the last row can't be followed.
    """
    return RunConfig(
        data=data,
        student=StudentConfig("mlp", slots=4, width=32),
        teacher=TeacherConfig(width=48, heads=3),
        smt=SMTConfig(
            future=min(length, max(_FUTURE, 2 * columns)), anchors=max(1, length // 256),
            uniformity=0.03, encoder_gradient_scale=0.1, noise=0.05,
        ),
        # Labels steer; what the student reads counts most.
        dmt=DMTConfig(window=min(length, max(_WINDOW, columns + 4)), dynamics=0.1, distill=1.0),
        fit=FitConfig(batch=max(8, min(32, _POSITIONS // length))),
        budget=Budget(seconds=180.0),
        stages=stages(strategy, RATES, STRATEGIES | _SHARES),
    )  # fmt: skip
