"""L5. Retrieval: keep one marked symbol among many until it is asked for."""

from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.memory import student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages, with_growing_windows
from pastforward.teacher import TeacherConfig
from pastforward.training.configs import FitConfig

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 3e-4, "bptt": 1e-3}

_SHARES = {"smt+dmt": (("teacher", 0.3), ("smt", 0.35), ("dmt", 0.35))}
"""A teacher that has not found the mark yet learns to look for it at the last step alone, since the
dynamics loss is lowest where memories need not hold it; so it gets more time first."""

_TEACHER_FORCED_LR = 1e-3
"""DMT has less: once a task is solved, Muon follows gradient noise."""
_BATCH, _POSITIONS = 32, 4096


def retrieval(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp", length: int = 128) -> RunConfig:
    """T = `length`; there is one output per sequence, its last.

    Futures need not reach from the mark to the end: an encoder that finds the mark from near the
    end finds it from everywhere, and the dynamics loss asks for what can be carried there.
    """
    window = min(64, length)
    return RunConfig(
        data=DataConfig(f"retrieval:{length}"),
        student=student_for(cell, slots=4, width=16),
        # Attention that starts sharp finds one position among T; three heads did so sooner.
        teacher=TeacherConfig("state", width=48, depth=2, heads=3, query_key_scale=3.0),
        smt=SMTConfig(future=min(16, length), anchors=1, noise=0.2, encoder_gradient_scale=0.1),
        dmt=DMTConfig(window=window),
        fit=FitConfig(batch=_batch(strategy, length)),
        budget=Budget(seconds=600.0),
        stages=with_growing_windows(stages(strategy, RATES, _SHARES), window, _TEACHER_FORCED_LR),
    )


def _batch(strategy: str, length: int) -> int:
    """Fewer long sequences make more steps; T serial calls of BPTT cost the same for 32."""
    return _BATCH if strategy == "bptt" else max(4, min(_BATCH, _POSITIONS // length))
