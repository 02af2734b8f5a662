"""L5. State tracking (parity, S5, modular arithmetic): every input moves a small state."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from pastforward.recipes.strategies import STRATEGIES, from_prefixes, growing, stages

if TYPE_CHECKING:
    from pastforward.data.tasks.modular import Modular
    from pastforward.data.tasks.tracking import Tracked

RATES = {"teacher": 4e-3, "smt": 2e-3, "dmt": 1e-4, "bptt": 1e-3}

_TEACHER_FORCED_LR = 1e-3
"""Rate of windows from labels. DMT has less: of a solved task it follows the noise."""

# A step from frozen labels costs less. What joint training would give is open (docs/log.md).
_FROZEN = {
    "smt": (("teacher", 0.5), ("smt-frozen", 0.5)),
    "smt+dmt": (("teacher", 0.4), ("smt-frozen", 0.3), ("dmt", 0.3)),
    "smt+dmt+bptt": (("teacher", 0.35), ("smt-frozen", 0.25), ("dmt", 0.2), ("bptt", 0.2)),
}
_PREFIXES = 16, 32, 128
_TURNS = 4
"""Reflections of 4 x 4 matrices: all that an orthogonal matrix can do, and 4 is what S5 needs."""
_MATRICES = {"modular": 1}
"""Half of the slots where not given: more find S5 sooner. But a number acts in many ways, one for
each operator before it, and a student has to learn them all for every matrix."""
_WINDOW, _POSITIONS = 32, 2048


def tracking(
    task: Tracked | Modular, data: DataConfig, student: StudentConfig, strategy: str
) -> RunConfig:
    """A config for a task whose outputs tell its state, every so many steps."""
    window = min(_WINDOW, task.length)
    return RunConfig(
        data=data,
        student=student,
        teacher=TeacherConfig(
            "delta", matrices=_MATRICES.get(task.family), key_dim=_TURNS, householder_steps=_TURNS
        ),
        # Nothing goes around such a memory, so all credit comes through it: no futures to decode.
        smt=SMTConfig(future=task.dependency_length, decoding=0.0),
        dmt=DMTConfig(window=window, dynamics=0.1),
        fit=FitConfig(batch=max(8, min(32, _POSITIONS // task.length))),
        budget=Budget(seconds=600.0),
        stages=from_prefixes(
            growing(stages(strategy, RATES, STRATEGIES | _FROZEN), window, _TEACHER_FORCED_LR),
            [steps for steps in _PREFIXES if 2 * task.every <= steps < task.length],
            task.length,
        ),
    )
