"""L4. A run: the stages of a config, one after the other, in a run folder that can be resumed."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Protocol

from pastforward.config import FitConfig, RunConfig, Stage
from pastforward.data.opening import open_data
from pastforward.errors import UsageError
from pastforward.methods import LEAVE_THE_STUDENT, METHODS
from pastforward.methods.base import Method
from pastforward.student_file import save_student
from pastforward.teacher.store.reading import open_labels
from pastforward.teacher.target_source import StoredTargets
from pastforward.training.check import check
from pastforward.training.checkpoint import load_tensors, part, prefixed, save_tensors
from pastforward.training.distributed import agree, connect, rank
from pastforward.training.folder import RunFolder
from pastforward.training.loop import Batches, Fit, Progress, read_steps
from pastforward.training.networks import Guide, build_networks
from pastforward.training.selection import Selection

CHECKPOINT_EVERY = 60.0
"""Seconds of training between checkpoints."""
LOG_EVERY = 10
"""Optimiser steps between rows of metrics.jsonl."""


class Interrupted(Exception):
    """The user or the system asked to stop; everything is saved."""


class Watcher(Protocol):
    """Who is told how a run goes."""

    def stage(self, name: str, number: int, of: int) -> None:
        """A stage begins."""
        ...

    def step(self, stage: Fit, terms: dict[str, float], valid: float | None) -> None:
        """A step was taken; `valid` is the last held-out loss."""
        ...


class Trainer:
    """Student (or peer), data and guide, as a config says, trained stage by stage."""

    def __init__(self, config: RunConfig, folder: RunFolder) -> None:
        """Writes nothing yet; raises `UsageError` for sizes or data that can't work."""
        check(config)
        self.config, self.folder = config, folder
        self.device = connect()
        self.store = None if config.label_store is None else open_labels(config.label_store)
        self.source = open_data(config.data)
        check(config, self.source, self.store and self.store.facts)
        self.student, guide = build_networks(config, self.source, self.store)
        self.student.to(self.device)
        self.guide = guide and guide.to(self.device)
        self.number, self.spent, self.selection = 0, Progress(), Selection()
        self._checkpointed = 0.0
        self.fit = self._make_fit()

    def train(self, watcher: Watcher, stopping: Callable[[], bool]) -> None:
        """All remaining stages; raises `Interrupted`, with all saved, once `stopping()` is True."""
        while self.number < len(self.config.stages):
            watcher.stage(self.stage.name, self.number, len(self.config.stages))
            self.fit.prepare()
            while self.fit.share() < 1.0:
                terms = self._step()
                watcher.step(self.fit, terms, self.selection.latest)
                # Rank 0 decides: a signal reaches the ranks at different steps.
                if agree(float(stopping() and not self.fit.midway)):
                    self.checkpoint()
                    raise Interrupted
            self._finish_stage()
        self._finish()

    @property
    def teacher(self) -> Guide | None:
        """The guide, where some stage uses one; stored labels do without."""
        return None if isinstance(self.guide, StoredTargets) else self.guide

    @property
    def stage(self) -> Stage:
        """The stage under way."""
        return self.config.stages[self.number]

    def serial_calls(self) -> dict[str, int]:
        """Cell calls one after the other in an optimiser step, by stage."""
        length = self.source.signature.length
        return {
            stage.name: self._make_method(stage).serial_calls(
                read_steps(self._dials(stage), length)
            )
            for stage in self.config.stages
        }

    def _make_method(self, stage: Stage) -> Method:
        config = self.config
        if stage.window is not None:
            config = replace(config, dmt=replace(config.dmt, window=stage.window))
        return METHODS[stage.method](self.student, self.guide, config)

    def _dials(self, stage: Stage) -> FitConfig:
        """Those of the run; where a stage reads prefixes, more sequences but fewer positions."""
        dials = self.config.fit
        if stage.prefix is None:
            return dials
        whole = read_steps(dials, self.source.signature.length)
        steps = min(stage.prefix, whole)
        return replace(dials, prefix=steps, batch=round(dials.batch * (whole / steps) ** 0.5))

    def _make_fit(self) -> Fit:
        method = self._make_method(self.stage)
        batches: Batches = self.store or self.source
        budget = self.config.budget.part(self.stage.share)
        seed = self.config.seed + 7919 * self.number
        dials = self._dials(self.stage)
        return Fit(method, batches, self.stage.lr, budget, dials, seed, self.device)

    def _step(self) -> dict[str, float]:
        terms = self.fit.step()
        if self.fit.progress.step % LOG_EVERY == 0:
            self._log(terms)
        # Evaluations lie at fixed shares of the whole budget, so methods are looked at equally.
        due = self.selection.due(self._share(), self.config.fit.evaluations)
        if due and self.stage.method not in LEAVE_THE_STUDENT:
            self._log({"valid": self.selection.evaluate(self.student, self.source)})
        overdue = self.fit.progress.seconds - self._checkpointed > CHECKPOINT_EVERY
        if overdue and not self.fit.midway:
            self.checkpoint()
        return terms

    def _share(self) -> float:
        """Spent part of the whole budget."""
        done = sum(stage.share for stage in self.config.stages[: self.number])
        return done + self.stage.share * min(1.0, self.fit.share())

    def _log(self, terms: dict[str, float]) -> None:
        if rank() != 0:
            return
        progress = self.fit.progress
        row: dict[str, Any] = {
            "stage": self.stage.method,
            "number": self.number,
            "step": self.spent.step + progress.step,
            "tokens": self.spent.tokens + progress.tokens,
            "seconds": round(self.spent.seconds + progress.seconds, 3),
            "calls": self.spent.calls + progress.calls,
        } | terms
        self.folder.metrics.append(row)

    def _finish_stage(self) -> None:
        progress = self.fit.progress
        self.spent.step += progress.step
        self.spent.tokens += progress.tokens
        self.spent.seconds += progress.seconds
        self.spent.calls += progress.calls
        self.number += 1
        self._checkpointed = 0.0
        if self.number < len(self.config.stages):
            self.fit = self._make_fit()
            self.checkpoint()

    def _finish(self) -> None:
        """Put the best student and its teacher where readers look for them."""
        if self.selection.tensors:
            self.student.load_state_dict(self.selection.tensors)
        if rank() != 0:
            return
        save_student(
            self.folder.student, self.student.cpu(), self.config.student, self.source.codec
        )
        if self.teacher:
            save_tensors(self.folder.teacher, self.teacher.cpu().state_dict(), {})
        self.checkpoint()

    def checkpoint(self) -> None:
        """Save everything that resuming needs, atomically."""
        self._checkpointed = self.fit.progress.seconds
        if rank() != 0:
            return
        tensors = {
            **prefixed("student", self.student.state_dict()),
            **prefixed("teacher", self.teacher.state_dict() if self.teacher else {}),
            **prefixed("best", self.selection.tensors),
            **prefixed("optimiser", self.fit.optimiser.tensors()),
        }
        facts: dict[str, Any] = {
            "number": self.number,
            "progress": asdict(self.fit.progress),
            "spent": asdict(self.spent),
            "selection": self.selection.facts(),
            "labels": self.store and self.store.identity,
        }
        save_tensors(self.folder.checkpoint, tensors, facts)

    def restore(self) -> None:
        """Go back to the last checkpoint; raises `UsageError` when it can't be used.

        A run that was stopped before its first one starts again.
        """
        if not self.folder.checkpoint.exists():
            self._forget_later_rows()
            return
        tensors, facts = load_tensors(self.folder.checkpoint)
        try:
            self.number = facts["number"]
            self.student.load_state_dict(part("student", tensors))
            if self.teacher:
                self.teacher.load_state_dict(part("teacher", tensors))
            if facts.get("labels") != (self.store and self.store.identity):
                raise ValueError(f"{self.config.label_store} holds other labels than it began with")
            self.selection = Selection(**facts["selection"], tensors=part("best", tensors))
            self.spent = Progress(**facts["spent"])
            if self.number < len(self.config.stages):
                self.fit = self._make_fit()
                self.fit.optimiser.restore(part("optimiser", tensors))
                self.fit.progress = Progress(**facts["progress"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise UsageError(
                f"{self.folder.checkpoint} doesn't fit this run ({error}); resume with the options "
                "it was started with, or start again with --overwrite."
            ) from error
        self._forget_later_rows()

    def _forget_later_rows(self) -> None:
        """Drop metrics of steps taken after the checkpoint: they are taken again."""
        if rank() == 0:
            self.folder.metrics.forget_after(self.spent.step + self.fit.progress.step)
