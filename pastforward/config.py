"""L0. What a run is: data, networks, methods, budget, stages. Imports no torch.

A run's config is a tree of frozen dataclasses, each owned by the component whose dials it holds:

RunConfig
  data      DataConfig       data/__init__.py       what is read
  student   StudentConfig    cells/__init__.py      what ships
  baseline  BaselineConfig   baselines/__init__.py  trained in the student's place, if given
  teacher   TeacherConfig    teacher/__init__.py    encoder and decoder, discarded after training
  smt, dmt, tbptt, distill   methods/__init__.py    dials of methods
  fit       FitConfig        training/__init__.py   batch, optimiser, schedule
  dist      DistConfig       training/__init__.py   how processes share the work
  budget    Budget           how long, divided among the
  stages    Stage, ...       methods, in order
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pastforward.baselines import BaselineConfig
from pastforward.cells import StudentConfig
from pastforward.data import DataConfig
from pastforward.errors import UsageError
from pastforward.methods import DistillConfig, DMTConfig, SMTConfig, TBPTTConfig
from pastforward.teacher import TeacherConfig
from pastforward.training import DistConfig, FitConfig

_POSITIONS, _MOST = 2048, 64
"""In a batch of short sequences: steps, and sequences at most."""


@dataclass(frozen=True)
class Budget:
    """How long to train, in exactly one unit."""

    steps: int | None = None
    """Optimiser steps."""
    tokens: int | None = None
    """Sequence positions read."""
    seconds: float | None = None
    """Training time; compilation and evaluation do not count."""

    def __post_init__(self) -> None:
        given = [n for n in (self.steps, self.tokens, self.seconds) if n is not None]
        if len(given) != 1 or not given[0] > 0:
            raise UsageError(
                f"A budget of steps={self.steps}, tokens={self.tokens}, seconds={self.seconds} was "
                "given; give exactly one of them, above 0."
            )

    def part(self, share: float) -> "Budget":
        """A share of this budget, in the same unit."""
        if self.seconds is not None:
            return Budget(seconds=share * self.seconds)
        steps, tokens = (n and max(1, round(share * n)) for n in (self.steps, self.tokens))
        return Budget(steps, tokens)

    def divide(self, shares: Sequence[float]) -> tuple["Budget | None", ...]:
        """Parts that add up to this budget, in order; None where a stage gets nothing.

        Steps go to every stage where there are as many of them as stages.
        """
        if self.steps is None:
            return tuple(self.part(share) for share in shares)
        ends = [round(self.steps * sum(shares[: n + 1])) for n in range(len(shares))]
        counts = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
        if self.steps >= len(counts):
            while 0 in counts:
                counts[counts.index(max(counts))] -= 1
                counts[counts.index(0)] += 1
        return tuple(Budget(steps=count) if count else None for count in counts)


@dataclass(frozen=True)
class Stage:
    """One method for a share of the budget."""

    method: str
    """A name in `METHODS`, or a method of your own as module:Name."""
    share: float
    lr: float
    window: int | None = None
    """k of this stage, where it isn't the method's own."""
    prefix: int | None = None
    """p: train on the first p steps of each sequence, with sqrt(T / p) times as many sequences.
    As `FitConfig.prefix` when None."""
    length: int | None = None
    """T of this stage's sequences, of a synthetic task; with up to 64 of them or 2,048 steps in a
    batch. That of the data when None."""
    batch: int | None = None
    """Sequences in a batch of this stage, before prefixes or a length of its own add to them; as
    `FitConfig.batch` when None."""

    @property
    def name(self) -> str:
        """What a user reads."""
        cut = "" if self.length is None else f", T = {self.length}"
        cut += "" if self.prefix is None else f", prefixes of {self.prefix}"
        return (self.method if self.window is None else f"{self.method} {self.window}") + cut


@dataclass(frozen=True)
class RunConfig:
    """A whole run: `recipes` are functions that return one."""

    data: DataConfig = field(default_factory=DataConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    baseline: BaselineConfig | None = None
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    smt: SMTConfig = field(default_factory=SMTConfig)
    dmt: DMTConfig = field(default_factory=DMTConfig)
    tbptt: TBPTTConfig = field(default_factory=TBPTTConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    method_config: Any = None
    """Dials of a method of the user's own."""
    fit: FitConfig = field(default_factory=FitConfig)
    dist: DistConfig = field(default_factory=DistConfig)
    budget: Budget = field(default_factory=lambda: Budget(seconds=120.0))
    stages: tuple[Stage, ...] = (
        Stage("teacher", 0.25, 2e-3),
        Stage("smt", 0.4, 2e-3),
        Stage("dmt", 0.35, 1e-3),
    )
    seed: int = 0
    label_store: str | None = None
    """A folder that `label` wrote; a run then trains no teacher."""

    def during(self, stage: Stage, length: int) -> "RunConfig":
        """This config with the window and batches of a stage, for sequences of T = `length`.

        A stage that reads shorter ones takes more of them, of prefixes with fewer positions in all.
        """
        dmt, tbptt, fit = self.dmt, self.tbptt, self.fit
        batch: float = stage.batch or fit.batch
        if stage.window is not None:
            dmt, tbptt = replace(dmt, window=stage.window), replace(tbptt, window=stage.window)
        if stage.prefix is not None:
            whole = fit.steps(length)
            steps = min(stage.prefix, whole)
            fit, batch = replace(fit, prefix=steps), batch * (whole / steps) ** 0.5
        if stage.length is not None:
            batch = max(batch, min(_MOST, _POSITIONS // stage.length))
        # Micro-batches are of equal size.
        parts = max(1, round(batch / fit.accumulate))
        fit = replace(fit, batch=fit.accumulate * parts)
        return replace(self, dmt=dmt, tbptt=tbptt, fit=fit)
