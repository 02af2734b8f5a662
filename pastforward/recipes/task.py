"""L5. Recipes for synthetic tasks: sizes chosen by what must be held, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from pastforward.cells import StudentConfig
from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.copy import copy
from pastforward.recipes.key_values import key_values
from pastforward.recipes.memory import student_for
from pastforward.recipes.retrieval import retrieval
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages
from pastforward.recipes.tracking import tracking
from pastforward.teacher import TeacherConfig
from pastforward.training.configs import FitConfig

if TYPE_CHECKING:
    from pastforward.data.tasks.base import Task

_TUNED: dict[str, Callable[[str, str, int], RunConfig]] = {
    "copy": copy,
    "reversed_copy": copy,
    "retrieval": retrieval,
}
"""Families whose recipes were tuned by hand."""

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 2e-3, "bptt": 1e-3}
"""DMT has the readout's gradient: where targets know little, a student must learn without them."""

_SLOTS = 8
_PER_NAT, _FEWEST_PER_NAT = 3.8, 1.9
"""Numbers of memory per nat of state: by default, and at least where a recipe was tuned by hand."""
_WIDTHS = 16, 128
_ROLLOUT, _POSITIONS = 256, 2048


def for_task(
    task: Task, data: DataConfig, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp"
) -> RunConfig:
    """A config for a task that `data` names."""
    from pastforward.data.tasks.recall import KeyValues
    from pastforward.data.tasks.tracking import Modular, Tracked

    if task.family in _TUNED:
        tuned = replace(_TUNED[task.family](strategy, cell, task.length), data=data)
        # More symbols than the recipe was tuned for need more memory.
        size = tuned.student.slots * tuned.student.width
        enough = size >= _FEWEST_PER_NAT * task.state_entropy
        return tuned if enough else replace(tuned, student=_memory(task, cell))
    if isinstance(task, KeyValues):
        return key_values(task, data, strategy, cell)
    if isinstance(task, Tracked | Modular):
        return tracking(task, data, _memory(task, cell), strategy)
    return RunConfig(
        data=data,
        student=_memory(task, cell),
        teacher=TeacherConfig("registers", depth=3, decoder_depth=2),
        smt=SMTConfig(future=task.dependency_length, noise=0.2, uniformity=0.01),
        dmt=DMTConfig(window=min(_ROLLOUT, task.length), dynamics=0.1),
        fit=FitConfig(batch=max(8, min(32, _POSITIONS // task.length))),
        budget=Budget(seconds=600.0),
        stages=stages(strategy, RATES),
    )


def _memory(task: Task, cell: str) -> StudentConfig:
    least, most = _WIDTHS
    width = 8 * ceil(_PER_NAT * task.state_entropy / _SLOTS / 8)
    return student_for(cell, _SLOTS, max(least, min(most, width)))
