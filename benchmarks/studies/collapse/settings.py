"""The paper's losses, what is changed of them, and lists of jobs."""

from dataclasses import dataclass, replace
from typing import Any

STEPS = {"retrieval:16": 400, "copy:16": 600}
"""Optimiser steps, by task."""
WARMUP = 0.3
"""Share of the steps in which the teacher trains alone, where it does."""


@dataclass(frozen=True)
class Setting:
    """By default the paper's: decoding + 0.1 squared error + 0.001 uniformity over all pairs.

    Joint from the first step, with a cell without the norm after its step.
    """

    form: str = "plain"
    """Of the cell: a key of `FORMS`."""
    warmup: float = 0.0
    """Share of the steps before the student joins the teacher."""
    error: str = "squared"
    """'squared', or 'unexplained': over the variance of the targets."""
    dynamics: float = 0.1
    """Weight of the error of a step."""
    spread: str = "pairs"
    """Regulariser: a key of `SPREADS`."""
    weight: float = 0.001
    """Its weight."""
    slow: float = 0.0
    """Decay of the moving average of encoders that gives the student's targets; 0: none."""


CHANGES: dict[str, dict[str, Any]] = {
    "norm": {"form": "norm"},
    "scale": {"form": "scaled"},
    "gates": {"form": "gates"},
    "warm-up": {"warmup": WARMUP},
    "divided": {"error": "unexplained"},
    "slow targets": {"slow": 0.99},
    "uniformity 0.1": {"weight": 0.1},
    "covariance 1": {"spread": "covariance", "weight": 1.0},
    "gaussian 1": {"spread": "gaussian", "weight": 1.0},
}
CURES = (*CHANGES, "norm, divided", "norm, warm-up", "norm, warm-up, divided")
WEIGHTS = {"paper": 0.1, "paper, dynamics 1": 1.0, "paper, dynamics 10": 10.0}


def changed(weight: float, cure: str) -> Setting:
    """The paper's losses with a dynamics weight and some changes, named with commas between."""
    setting = Setting(dynamics=weight)
    for name in cure.split(", "):
        setting = replace(setting, **CHANGES[name])
    return setting


SETTINGS = {name: Setting(dynamics=weight) for name, weight in WEIGHTS.items()} | {
    f"{weight} + {cure}": changed(weight, cure) for weight in (1, 10) for cure in CURES
}
"""By name; "1 + norm" is the paper's losses with a dynamics weight of 1 and the cell's norm."""
STRATEGIES = {"ours": "smt", "smt+dmt": "smt+dmt", "bptt": "bptt"}
"""Names that stand for the library's own losses, with the strategy that they use."""


@dataclass(frozen=True)
class Job:
    """A training."""

    cell: str
    setting: str
    """A key of `SETTINGS` or of `STRATEGIES`."""
    task: str
    seed: int = 0


TASK = "retrieval:16"
QUEUES: dict[str, list[Job]] = {
    "weights": [Job(c, s, TASK, n) for n in (0, 1) for c in ("gru", "lstm", "mlp")
                for s in (*WEIGHTS, "ours")],
    "cures": [Job(c, f"1 + {cure}", TASK, n) for n in (0, 1) for c in ("gru", "lstm")
              for cure in CURES],
    "cells": [Job(c, s, "copy:16") for c in ("gru", "lstm", "elman", "transformer", "mlp")
              for s in ("smt+dmt", "bptt")],
}  # fmt: skip
