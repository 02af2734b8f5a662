"""L5. The recipe for labelled sequences: a class or numbers, at the end or at every step.

Where outputs are rare, a memory in mid-sequence has nothing near to predict, so all credit goes
through the encoder: one whose memory is Markov by construction, so that what it holds at the end a
student can carry there.
"""

from dataclasses import replace

from pastforward.config import Budget, RunConfig, Stage
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.sizes import student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages
from pastforward.teacher import TeacherConfig
from pastforward.training import FitConfig

LABELLED_RATES = {"teacher": 4e-3, "smt": 2e-3, "dmt": 1e-3, "bptt": 1e-3}
_SHARES = {
    "smt": (("teacher", 0.35), ("smt-frozen", 0.65)),
    "smt+dmt": (("teacher", 0.27), ("smt-frozen", 0.15), ("teacher-forced", 0.58)),
    "smt+dmt+bptt": (
        ("teacher", 0.25), ("smt-frozen", 0.12), ("teacher-forced", 0.43), ("bptt", 0.2),
    ),
}  # fmt: skip
_WINDOW = 32
_LAST_WINDOW_SHARE = 0.7
"""Of teacher-forced windows: most of what is gained is gained in the longest."""
_POSITIONS, _MOST = 12_000, 32
"""In a batch, and sequences in it."""


def labelled(
    data: DataConfig, length: int, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp"
) -> RunConfig:
    """Labelled sequences of at most T = `length` steps."""
    window = min(_WINDOW, length)
    return RunConfig(
        data=data,
        student=student_for(cell, slots=4, width=64),
        teacher=TeacherConfig("stack"),
        # No state bypasses such a memory: no futures to decode.
        smt=SMTConfig(decoding=0.0, anchors=1, noise=0.1),
        dmt=DMTConfig(window=window),
        fit=FitConfig(batch=max(8, min(_MOST, _POSITIONS // length))),
        budget=Budget(seconds=300.0 if length <= 256 else 900.0),
        stages=_with_growing_windows(stages(strategy, LABELLED_RATES, _SHARES), window),
    )


def _with_growing_windows(found: tuple[Stage, ...], window: int) -> tuple[Stage, ...]:
    """The same, teacher-forced training cut into windows of 4, 8, ... `window` steps.

    A student that has learned single steps drifts off within a few steps; a window that is longer
    than what it can follow teaches it nothing.
    """
    sizes = [size for size in (4, 8, 16) if size < window]
    grown: list[Stage] = []
    for stage in found:
        if stage.method != "teacher-forced" or not sizes:
            grown.append(stage)
            continue
        short = (1 - _LAST_WINDOW_SHARE) * stage.share
        grown += [replace(stage, share=short * size / sum(sizes), window=size) for size in sizes]
        grown.append(replace(stage, share=_LAST_WINDOW_SHARE * stage.share, window=window))
    return tuple(grown)
