"""L5. Images pixel by pixel: the pixel above is one row of steps away."""

from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.memory import student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages
from pastforward.teacher import TeacherConfig
from pastforward.training.configs import FitConfig

RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 2e-3, "bptt": 1e-3}

_SHARES = {
    "smt+dmt": (("teacher", 0.25), ("smt", 0.25), ("dmt", 0.5)),
    "smt+dmt+bptt": (("teacher", 0.2), ("smt", 0.2), ("dmt", 0.3), ("bptt", 0.3)),
}
"""A student whose gradients reach the encoder too early makes targets forget the row above."""

_FUTURE, _WINDOW, _POSITIONS = 16, 16, 2048


def pixels(
    data: DataConfig,
    length: int,
    columns: int,
    strategy: str = DEFAULT_STRATEGY,
    cell: str = "mlp",
    width: int = 32,
) -> RunConfig:
    """T = `length` pixels in rows of `columns`, for few grey levels; memory slots of `width`.

    Futures span two rows: a memory that holds less than the last row can't be followed.
    """
    return RunConfig(
        data=data,
        student=student_for(cell, slots=4, width=width),
        teacher=TeacherConfig(width=48, heads=3),
        smt=SMTConfig(
            future=min(length, max(_FUTURE, 2 * columns)), anchors=max(1, length // 256),
            uniformity=0.03, encoder_gradient_scale=0.1, noise=0.05,
        ),
        # The student's outputs count most; targets only steer.
        dmt=DMTConfig(window=min(length, max(_WINDOW, columns + 4)), dynamics=0.1, distill=1.0),
        fit=FitConfig(batch=max(8, min(32, _POSITIONS // length))),
        budget=Budget(seconds=180.0),
        stages=stages(strategy, RATES, _SHARES),
    )  # fmt: skip
