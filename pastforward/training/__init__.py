"""L0. Training: one loop for all methods, runs that resume, ranks; and the dials of the loop.

Imports no torch.
"""

import math
from dataclasses import dataclass

from pastforward.analysis.metrics import METRICS
from pastforward.errors import UsageError, at_least, one_of


@dataclass(frozen=True)
class FitConfig:
    """Batch, optimiser and schedule, the same for all methods."""

    batch: int = 64
    """B, sequences per optimiser step and rank."""
    accumulate: int = 1
    """Micro-batches per step, to save memory. Losses are means over all of them, but SMT compares
    memories within one of them only."""
    prefix: int | None = None
    """Train on the first so many steps of each sequence; on all when None. Where outputs depend on
    the state all along, short sequences are learned sooner, by any method. Evaluation uses all."""
    optimiser: str = "muon"
    """'muon' (weights of linear maps; AdamW for the rest) or 'adamw'."""
    weight_decay: float = 0.01
    warmup: int = 50
    """Optimiser steps of linear warm-up."""
    schedule: str = "cosine"
    """'cosine' (to a twentieth) or 'constant', within each stage."""
    clip: float = 1.0
    """Largest norm of the gradient; inf for no clipping."""
    evaluations: int = 20
    """Held-out evaluations in a run; the student with the best one is kept."""
    select: str = "loss"
    """Metric by which it is the best: 'loss'; of classes 'accuracy', 'balanced_accuracy' or
    'macro_f1'; of labelled numbers 'mse', 'mae' or 'r2'."""
    compile: str = "auto"
    """'auto' (on an accelerator), 'on', 'off', or 'graphs': on CUDA as CUDA graphs, where a small
    cell's steps take less time than their launches."""
    precision: str = "auto"
    """'auto' (bfloat16 on CUDA), 'bfloat16' or 'float32'. Norms and recurrences are in float32."""

    def steps(self, length: int) -> int:
        """Steps of sequences of `length` that training reads."""
        return min(length, self.prefix or length)

    def __post_init__(self) -> None:
        at_least(self, "fit", 1, "batch", "accumulate", "prefix")
        at_least(self, "fit", 0, "weight_decay", "warmup", "evaluations")
        one_of(self, "fit", "optimiser", ("muon", "adamw"))
        one_of(self, "fit", "schedule", ("cosine", "constant"))
        one_of(self, "fit", "select", METRICS)
        one_of(self, "fit", "compile", ("auto", "on", "off", "graphs"))
        one_of(self, "fit", "precision", ("auto", "bfloat16", "float32"))
        if not (self.clip > 0 and not math.isnan(self.clip)):
            raise UsageError(
                f"--fit.clip is {self.clip}; give a norm above 0, inf for no clipping."
            )
        if self.batch % self.accumulate:
            raise UsageError(
                f"A batch of {self.batch} can't be cut into {self.accumulate} equal parts; let "
                "--fit.accumulate divide --fit.batch."
            )


@dataclass(frozen=True)
class DistConfig:
    """How the processes that torchrun starts share the work."""

    mode: str = "ddp"
    """'ddp': every rank holds all weights. 'fsdp': each holds a part of every weight and of its
    moments, and reads the others' as it needs them."""
    time: int = 1
    """P, ranks that share each sequence, a part of its steps each; 1: every rank has its own."""

    def __post_init__(self) -> None:
        one_of(self, "dist", "mode", ("ddp", "fsdp"))
        at_least(self, "dist", 1, "time")
