"""L5. Recipes tuned by hand: copy, retrieval, key-values, state tracking."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import ceil

from pastforward.cells import StudentConfig
from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.sizes import fit_for, student_for
from pastforward.recipes.strategies import (
    CURRICULUM,
    DEFAULT_STRATEGY,
    stages,
    with_growing_windows,
    with_prefixes,
)
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import DeltaConfig, LinearConfig
from pastforward.training import FitConfig

COPY_RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 3e-4, "bptt": 1e-3}
RETRIEVAL_RATES = COPY_RATES
TRACKING_RATES = {"teacher": 4e-3, "smt": 2e-3, "dmt": 1e-4, "bptt": 1e-3}
"""DMT has little: once a task is solved, it follows gradient noise."""
KEY_VALUES_RATES = {"teacher": 4e-3, "smt": 1e-3, "dmt": 3e-4, "bptt": 1e-3}

_TEACHER_FORCED_LR = 1e-3
"""DMT has less: at this rate it undoes what teacher-forced windows have learned, and once a task is
solved, Muon follows gradient noise."""
_KEY_VALUES_TEACHER_FORCED_LR = 3e-4
"""Three times that undoes what single steps have learned."""

_FULL_RATE, _FULL_DMT_RATE, _LONGEST = 16, 96, 128
"""Steps of a window, teacher-forced or DMT's, above which a copy's rates fall as 1/k; steps that
teacher-forced windows stay below."""
_COPY_SHARES = {"smt+dmt": (("teacher", 0.15), ("smt", 0.3), ("dmt", 0.55))}
_LONG_COPY, _LONG_COPY_SHARES = 256, {
    "smt+dmt": (("teacher", 0.15), ("smt", 0.08), ("smt-frozen", 0.22), ("dmt", 0.55))
}  # fmt: skip
"""Beyond that T most single steps are learned from frozen targets: a joint step takes three times
as long, and a student with too few of them expands errors."""

_RETRIEVAL_SHARES = {"smt+dmt": (("teacher", 0.3), ("smt", 0.35), ("dmt", 0.35))}
"""A teacher that has not found the mark yet learns to look for it at the last step alone, since the
dynamics loss is lowest where memories need not hold it; so it gets more time first."""
_KEY_VALUES_SHARES = {
    "smt": (("teacher", 0.2), ("smt-frozen", 0.8)),
    "smt+dmt": (("teacher", 0.12), ("smt-frozen", 0.34), ("dmt", 0.54)),
    "smt+dmt+bptt": (("teacher", 0.12), ("smt-frozen", 0.33), ("dmt", 0.4), ("bptt", 0.15)),
}
# A step from frozen targets costs less. Whether joint training does better is open (docs/log.md).
_TRACKING_SHARES = {
    "smt": (("teacher", 0.5), ("smt-frozen", 0.5)),
    "smt+dmt": (("teacher", 0.4), ("smt-frozen", 0.3), ("dmt", 0.3)),
    "smt+dmt+bptt": (("teacher", 0.35), ("smt-frozen", 0.25), ("dmt", 0.2), ("bptt", 0.2)),
}
_REFLECTIONS = 4
"""Reflections of 4 x 4 matrices: they make every orthogonal matrix, and S5 needs 4 dimensions."""
PREFIXES = 16, 32, 128
"""Steps of the first sequences of state tracking."""

_MATRICES, _NUMBERS = 2, 4
"""Codes for every value, one in each matrix, and the numbers of a code."""


def copy(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp", length: int = 32) -> RunConfig:
    """String copy, T = `length`; the memory grows with the string."""
    slower = min(1.0, _FULL_DMT_RATE / length)
    rates = COPY_RATES | {"dmt": COPY_RATES["dmt"] * slower}
    shares = _LONG_COPY_SHARES if length > _LONG_COPY else _COPY_SHARES
    parts, longest = stages(strategy, rates, shares), min(length, _LONGEST)
    # Even, as modes are pairs; about 2 T numbers, fewer from T = 256 on: Muon's cost is their cube.
    width = max(16, 2 * min(ceil(length / 8), 16 + length // 16))
    return RunConfig(
        data=DataConfig(f"copy:{length}"),
        # Target memories rotate; a cell with a tanh can rotate a memory where the tanh is linear.
        student=student_for(cell, slots=8, width=width, scale=0.01),
        # All modes hold for about as long as a symbol must be kept.
        teacher=TeacherConfig(encoder_config=LinearConfig(initial_decay_time=length / 3)),
        # Targets that lie close together can't be followed for more than a few steps.
        smt=SMTConfig(anchors=1, noise=0.2, uniformity=0.05),
        # The whole rollout, as in the paper: what is held decays a little each step, and a window
        # that ends before the recall has no loss there.
        dmt=DMTConfig(window=length, dynamics=0.1),
        fit=FitConfig(
            batch=16 if strategy in ("bptt", CURRICULUM) else max(4, min(16, 4096 // length))
        ),
        budget=Budget(seconds=300.0 if length <= 32 else 600.0),
        stages=with_growing_windows(parts, longest, _TEACHER_FORCED_LR, _FULL_RATE),
    )


def retrieval(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp", length: int = 128) -> RunConfig:
    """Keep one marked symbol; T = `length`, and there is one output per sequence, its last.

    Futures need not reach from the mark to the end: an encoder that finds the mark from near the
    end finds it from everywhere, and the dynamics loss asks for what can be carried there.
    """
    window = min(64, length)
    parts = stages(strategy, RETRIEVAL_RATES, _RETRIEVAL_SHARES)
    # Fewer long sequences make more steps; T serial calls of BPTT cost the same for 32.
    batch = 32 if strategy in ("bptt", CURRICULUM) else max(4, min(32, 4096 // length))
    return RunConfig(
        data=DataConfig(f"retrieval:{length}"),
        student=student_for(cell, slots=4, width=16),
        # Attention that starts sharp finds one position among T; three heads did so sooner.
        teacher=TeacherConfig("state", width=48, depth=2, heads=3, query_key_scale=3.0),
        smt=SMTConfig(future=min(16, length), anchors=1, noise=0.2, encoder_gradient_scale=0.1),
        dmt=DMTConfig(window=window),
        fit=FitConfig(batch=batch),
        budget=Budget(seconds=600.0),
        stages=with_growing_windows(parts, window, _TEACHER_FORCED_LR),
    )


def key_values(
    directions: int, data: DataConfig, length: int, strategy: str, cell: str
) -> RunConfig:
    """Hold all pairs: matrices with a row for each direction of keys, a slot for the last input."""
    keys = min(128, max(16, 2 ** (directions - 1).bit_length()))
    window = min(64, length)
    parts = stages(strategy, KEY_VALUES_RATES, _KEY_VALUES_SHARES)
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
        fit=fit_for(length),
        budget=Budget(seconds=600.0),
        stages=with_growing_windows(parts, window, _KEY_VALUES_TEACHER_FORCED_LR),
    )


def tracking(
    data: DataConfig, length: int, student: StudentConfig, prefixes: Sequence[int], strategy: str,
    matrices: int | None = None, future: int | None = None,
) -> RunConfig:  # fmt: skip
    """State tracking (parity, S5, modular arithmetic): every input changes a small state.

    `prefixes` are shorter than T = `length` and hold two outputs or more.
    """
    window = min(32, length)
    grown = with_growing_windows(stages(strategy, TRACKING_RATES, _TRACKING_SHARES), window, 1e-3)
    return RunConfig(
        data=data,
        student=student,
        teacher=TeacherConfig(
            "delta", encoder_config=DeltaConfig(matrices, _REFLECTIONS, _REFLECTIONS)
        ),
        # No state bypasses such a memory, so all credit passes through it: no futures to decode.
        smt=SMTConfig(future=future, decoding=0.0),
        dmt=DMTConfig(window=window, dynamics=0.1),
        fit=fit_for(length),
        budget=Budget(seconds=600.0),
        stages=with_prefixes(grown, prefixes, length),
    )


copy32, copy64 = partial(copy, length=32), partial(copy, length=64)
