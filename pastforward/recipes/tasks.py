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
from pastforward.recipes.labelled import labelled
from pastforward.recipes.sizes import fit_for, student_for
from pastforward.recipes.strategies import stages
from pastforward.recipes.tuned import PREFIXES, copy, key_values, retrieval, tracking
from pastforward.teacher import TeacherConfig

if TYPE_CHECKING:
    from pastforward.data.tasks.base import Task


def _reversed_copy(strategy: str, cell: str, length: int) -> RunConfig:
    """One fixed turn of a memory, as in `copy`, brings no symbol where it is due."""
    data = DataConfig(f"reversed_copy:{length}")
    return labelled(data, length, strategy, cell, at_end=False)


_TUNED: dict[str, Callable[[str, str, int], RunConfig]] = {
    "copy": copy, "reversed_copy": _reversed_copy, "retrieval": retrieval,
}  # fmt: skip

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 2e-3, "bptt": 1e-3}
"""DMT has the readout's gradient: where targets know little, a student must learn without them."""
_MATRICES = {"modular": 1}
"""Half of the slots where not given: more find S5 sooner. In modular arithmetic a number acts in as
many ways as there are operators before it, and a student has to learn all of them per matrix."""

_ROOM = 4
"""Directions for each of several keys of many: few have much in common then."""
_PAIRS_HELD = 16
"""Directions for pairs (x, w x + b): more than a few are not needed to tell w and b."""
_SLOTS = 8
_PER_NAT, _FEWEST_PER_NAT = 3.8, 1.9
"""Numbers of memory per nat of state: by default, and at least where a recipe was tuned by hand."""


def for_task(task: Task, data: DataConfig, strategy: str, cell: str) -> RunConfig:
    """A config for a task that `data` names."""
    from pastforward.data.tasks.mqar import MQAR
    from pastforward.data.tasks.recall import KeyValues, Recall
    from pastforward.data.tasks.regression import Regression
    from pastforward.data.tasks.tracking import Modular, Tracked
    from pastforward.data.tasks.words import Regular

    if task.family in _TUNED:
        tuned = replace(_TUNED[task.family](strategy, cell, task.length), data=data)
        # More symbols than the recipe was tuned for need more memory.
        size = tuned.student.slots * tuned.student.width
        enough = size >= _FEWEST_PER_NAT * task.state_entropy
        return tuned if enough else replace(tuned, student=_memory(task, cell))
    if isinstance(task, MQAR):
        return key_values(_ROOM * task.pairs, data, task.length, strategy, cell)
    if isinstance(task, KeyValues | Recall | Regression):
        keys = _PAIRS_HELD if isinstance(task, Regression) else task.symbols
        return key_values(keys, data, task.length, strategy, cell)
    if isinstance(task, Tracked | Modular):
        return _tracking(task, task.every, data, strategy, cell)
    if isinstance(task, Regular):
        return _tracking(task, 1, data, strategy, cell)
    return RunConfig(
        data=data,
        student=_memory(task, cell),
        teacher=TeacherConfig("registers", depth=3, decoder_depth=2),
        smt=SMTConfig(future=task.dependency_length, noise=0.2, uniformity=0.01),
        dmt=DMTConfig(window=min(256, task.length), dynamics=0.1),
        fit=fit_for(task.length),
        budget=Budget(seconds=600.0),
        stages=stages(strategy, RATES),
    )


def _tracking(task: Task, every: int, data: DataConfig, strategy: str, cell: str) -> RunConfig:
    """Asked at every `every`-th step, or after words of all lengths."""
    prefixes = [steps for steps in PREFIXES if 2 * every <= steps < task.length]
    return tracking(
        data, task.length, _memory(task, cell), prefixes, strategy, _MATRICES.get(task.family),
        task.dependency_length,
    )  # fmt: skip


def _memory(task: Task, cell: str) -> StudentConfig:
    width = 8 * ceil(_PER_NAT * task.state_entropy / _SLOTS / 8)
    return student_for(cell, _SLOTS, max(16, min(128, width)))
