"""L5. State tracking (parity, S5, modular arithmetic): every input changes a small state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pastforward.cells import StudentConfig
from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.strategies import stages, with_growing_windows, with_prefixes
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import DeltaConfig
from pastforward.training.configs import FitConfig

if TYPE_CHECKING:
    from pastforward.data.tasks.tracking import Modular, Tracked

RATES = {"teacher": 4e-3, "smt": 2e-3, "dmt": 1e-4, "bptt": 1e-3}

_TEACHER_FORCED_LR = 1e-3
"""DMT has less: once a task is solved, it follows gradient noise."""

# A step from frozen targets costs less. Whether joint training does better is open (docs/log.md).
_SHARES = {
    "smt": (("teacher", 0.5), ("smt-frozen", 0.5)),
    "smt+dmt": (("teacher", 0.4), ("smt-frozen", 0.3), ("dmt", 0.3)),
    "smt+dmt+bptt": (("teacher", 0.35), ("smt-frozen", 0.25), ("dmt", 0.2), ("bptt", 0.2)),
}
_PREFIXES = 16, 32, 128
_REFLECTIONS = 4
"""Reflections of 4 x 4 matrices: they make every orthogonal matrix, and S5 needs 4 dimensions."""
_MATRICES = {"modular": 1}
"""Half of the slots where not given: more find S5 sooner. In modular arithmetic a number acts in as
many ways as there are operators before it, and a student has to learn all of them per matrix."""
_WINDOW, _POSITIONS = 32, 2048


def tracking(
    task: Tracked | Modular, data: DataConfig, student: StudentConfig, strategy: str
) -> RunConfig:
    """A config for a task whose outputs tell its state, every so many steps."""
    window = min(_WINDOW, task.length)
    grown = with_growing_windows(stages(strategy, RATES, _SHARES), window, _TEACHER_FORCED_LR)
    prefixes = [steps for steps in _PREFIXES if 2 * task.every <= steps < task.length]
    own = DeltaConfig(_MATRICES.get(task.family), _REFLECTIONS, _REFLECTIONS)
    return RunConfig(
        data=data,
        student=student,
        teacher=TeacherConfig("delta", encoder_config=own),
        # No state bypasses such a memory, so all credit passes through it: no futures to decode.
        smt=SMTConfig(future=task.dependency_length, decoding=0.0),
        dmt=DMTConfig(window=window, dynamics=0.1),
        fit=FitConfig(batch=max(8, min(32, _POSITIONS // task.length))),
        budget=Budget(seconds=600.0),
        stages=with_prefixes(grown, prefixes, task.length),
    )
