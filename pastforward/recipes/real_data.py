"""L5. Recipes for images, text and series."""

from dataclasses import replace

from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.sizes import fit_for, student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages
from pastforward.teacher import TeacherConfig

PIXEL_RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 2e-3, "bptt": 1e-3}
FLOW_RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 1e-3, "bptt": 1e-3, "finetune": 1e-3}

_PIXEL_SHARES = {
    "smt+dmt": (("teacher", 0.25), ("smt", 0.25), ("dmt", 0.5)),
    "smt+dmt+bptt": (("teacher", 0.2), ("smt", 0.2), ("dmt", 0.3), ("bptt", 0.3)),
}
"""A student whose gradients reach the encoder too early makes targets forget the row above."""
_FLOW_SHARES = {
    "smt+dmt": (("teacher", 0.07), ("smt", 0.31), ("dmt", 0.62)),
    "smt+dmt+bptt": (("teacher", 0.07), ("smt", 0.31), ("dmt", 0.12), ("bptt", 0.5)),
}
_FUTURE = 16


def pixels(
    data: DataConfig, size: tuple[int, int], strategy: str, cell: str, width: int = 32
) -> RunConfig:
    """Images pixel by pixel, for few grey levels; `size` is (T, pixels in a row).

    Memory slots have D = `width`. Futures span two rows: a memory that holds less than the last row
    can't be followed.
    """
    length, columns = size
    return RunConfig(
        data=data,
        student=student_for(cell, slots=4, width=width),
        teacher=TeacherConfig(width=48, heads=3),
        smt=SMTConfig(
            future=min(length, max(_FUTURE, 2 * columns)), anchors=max(1, length // 256),
            uniformity=0.03, encoder_gradient_scale=0.1, noise=0.05,
        ),
        # The student's outputs count most; targets only steer.
        dmt=DMTConfig(window=min(length, max(16, columns + 4)), dynamics=0.1, distill=1.0),
        fit=fit_for(length),
        budget=Budget(seconds=180.0),
        stages=stages(strategy, PIXEL_RATES, _PIXEL_SHARES),
    )  # fmt: skip


def flow(data: DataConfig, length: int, strategy: str, cell: str, width: int = 32) -> RunConfig:
    """Sequences of T = `length` cut from text or series: what comes next depends on what is near.

    Memory slots have D = `width`.
    """
    return RunConfig(
        data=data,
        student=student_for(cell, slots=4, width=width),
        # One short future per sequence; the readout at every t makes up for the others.
        smt=SMTConfig(future=min(length, _FUTURE), anchors=1, uniformity=0.01, noise=0.05),
        # The whole rollout, new sequences at every step: a student of text soon knows more than
        # its teacher, and one that replays a batch four times overfits that batch.
        dmt=DMTConfig(window=min(length, 256), dynamics=0.1, replay_steps=1),
        fit=fit_for(length, most=64),
        budget=Budget(seconds=180.0),
        stages=stages(strategy, FLOW_RATES, _FLOW_SHARES),
    )


def digits(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp") -> RunConfig:
    """T = 64, 17 grey levels; 1297 training images, which more time would overfit."""
    config = pixels(DataConfig("digits"), (64, 8), strategy, cell)
    return replace(config, budget=Budget(seconds=95.0))


def pydoc(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp") -> RunConfig:
    """The help topics of the standard library, byte by byte; T = 128."""
    return flow(DataConfig("pydoc"), 128, strategy, cell)
