"""L5. Key-values: hold all pairs until their keys are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.memory import student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages, with_growing_windows
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import DeltaConfig
from pastforward.training.configs import FitConfig

if TYPE_CHECKING:
    from pastforward.data.tasks.recall import KeyValues

RATES = {"teacher": 4e-3, "smt": 1e-3, "dmt": 3e-4, "bptt": 1e-3}

_SHARES = {
    "smt": (("teacher", 0.2), ("smt-frozen", 0.8)),
    "smt+dmt": (("teacher", 0.12), ("smt-frozen", 0.34), ("dmt", 0.54)),
    "smt+dmt+bptt": (("teacher", 0.12), ("smt-frozen", 0.33), ("dmt", 0.4), ("bptt", 0.15)),
}
_TEACHER_FORCED_LR = 3e-4
"""Three times that undoes what single steps have learned."""
_POSITIONS = 2048
_MOST_KEYS = 128
_MATRICES, _NUMBERS = 2, 4
"""Codes for every value, one in each matrix, and the numbers of a code."""


def key_values(
    task: KeyValues, data: DataConfig, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp"
) -> RunConfig:
    """Matrices with a row for every key, and a slot for the last input."""
    keys = min(_MOST_KEYS, max(16, 2 ** (task.symbols - 1).bit_length()))
    window = min(64, task.length)
    return RunConfig(
        data=data,
        student=student_for(cell, slots=_MATRICES + 1, width=_NUMBERS * keys),
        # A wide teacher has a wide readout, which looks the value up.
        teacher=TeacherConfig(
            "delta", width=128, encoder_config=DeltaConfig(matrices=_MATRICES, key_dim=keys)
        ),
        # No state bypasses such a memory, so all credit passes through it: no futures to decode.
        smt=SMTConfig(decoding=0.0),
        dmt=DMTConfig(window=window, dynamics=0.1),
        fit=FitConfig(batch=max(8, min(32, _POSITIONS // task.length))),
        budget=Budget(seconds=600.0),
        stages=with_growing_windows(stages(strategy, RATES, _SHARES), window, _TEACHER_FORCED_LR),
    )
