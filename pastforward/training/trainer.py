"""L4. The stages of a run, one after the other, in a run folder that can be resumed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

from torch import nn

from pastforward.config import RunConfig, Stage
from pastforward.data.opening import open_data, open_known
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.files import to_json
from pastforward.methods import METHODS
from pastforward.methods import facts as method_facts
from pastforward.methods.base import Method
from pastforward.plain_torch import from_torch
from pastforward.student_file import save_student
from pastforward.teacher.label_store import open_labels
from pastforward.teacher.target_source import StoredTargets
from pastforward.training.callbacks import Callback, Callbacks
from pastforward.training.check import check
from pastforward.training.checkpoints import Checkpoints, has_checkpoint
from pastforward.training.distributed import agree, connect, rank
from pastforward.training.folder import RunFolder, save_tensors
from pastforward.training.loop import Fit, Progress
from pastforward.training.networks import (
    AnyTeacher,
    Selection,
    batches_of,
    build_networks,
    measured,
    network_config,
    require_cut,
    require_metric,
    sharded_engine,
)
from pastforward.training.state import facts_of, go_back, join_parts_of, tensors_of

CHECKPOINT_EVERY = 60.0
"""Seconds of training between checkpoints."""
LOG_EVERY = 10
"""Optimiser steps between rows of metrics.jsonl."""


class Interrupted(Exception):
    """The user or the system asked to stop; everything is saved."""


class Trainer:
    """Network, data and teacher, as a config says, trained stage by stage."""

    def __init__(self, config: RunConfig, folder: RunFolder, source: Source | None = None) -> None:
        """Writes nothing yet; raises `UsageError` for sizes or data that can't work.

        `source` stands for the data that the config names, where that is in memory.
        """
        check(config)
        self.config, self.folder = config, folder
        self.device = connect()
        self.store = None if config.label_store is None else open_labels(config.label_store)
        self.source = source or self._open()
        check(config, self.source, self.store and self.store.facts)
        require_metric(config.fit.select, self.source)
        self.network, targets = build_networks(config, self.source.signature, self.store)
        self.network.to(self.device)
        self.target_source = targets and targets.to(self.device)
        methods = [self._make_method(stage, config) for stage in config.stages]
        require_cut(config, methods, targets, self.source.signature)
        self.engine = sharded_engine(config, self.network, self.teacher)
        self.checkpoints = Checkpoints(folder)
        self.budgets = config.budget.divide([stage.share for stage in config.stages])
        self.number, self.spent, self.selection = 0, Progress(), Selection(config.fit.select)
        self._checkpointed = 0.0
        self._skip_empty()
        self.fit = self.make_fit()
        if self.store is not None:  # a damaged file is told of before anything is written
            self.fit.source.batch(self.fit.seed, 0, config.fit.batch)

    def start_from(self, module: nn.Module) -> None:
        """Give the student the weights of a network of torch.nn; `UsageError` where it has others.

        To be called before training and before `restore`.
        """
        given = from_torch(module, self.source.signature, self.config.student.slots)
        try:
            self.network.load_state_dict(given.state_dict())
        except RuntimeError as error:
            raise UsageError(
                f"The network to start from doesn't fit {self.config.student}; leave its sizes as "
                "`torch_config` of the network gives them."
            ) from error

    def _open(self) -> Source:
        if self.store is None:
            return open_data(self.config.data)
        facts = self.store.facts
        return open_known(self.config.data, facts.identity, str(self.store.folder))

    def train(self, callbacks: Sequence[Callback], stopping: Callable[[], bool]) -> None:
        """All remaining stages; raises `Interrupted`, with all saved, once `stopping()` is True.

        Callbacks are not told `on_end`: an evaluation may follow.
        """
        told = Callbacks(callbacks)
        while self.number < len(self.config.stages):
            told.on_stage(self.stage.name, self.number, len(self.config.stages))
            self._train_stage(told, stopping)
            self._finish_stage()
        self._finish()

    @property
    def teacher(self) -> AnyTeacher | None:
        """The teacher, where some stage needs one; a label store does without."""
        return None if isinstance(self.target_source, StoredTargets) else self.target_source

    @property
    def stage(self) -> Stage:
        """The stage under way."""
        return self.config.stages[self.number]

    def serial_calls(self) -> dict[str, int]:
        """Serial cell calls in an optimiser step, by stage."""
        length = self.source.signature.length
        return {
            stage.name: self._make_method(stage, config).serial_calls(
                config.fit.steps(stage.length or length)
            )
            for stage in self.config.stages
            for config in [self.config.during(stage, length)]
        }

    def checkpoint(self) -> None:
        """Save everything that resuming needs, atomically; several ranks do so as they go on."""
        self._checkpointed = self.fit.progress.seconds
        over = self.number == len(self.config.stages)
        step = self.spent.step + (0 if over else self.fit.progress.step)
        self.checkpoints.begin(tensors_of(self), facts_of(self), f"{step}-{self.number}")

    def restore(self) -> None:
        """Go back to the last checkpoint; raises `UsageError` when it can't be used.

        A run that was stopped before its first one starts again.
        """
        if has_checkpoint(self.folder):
            try:
                go_back(self)
            except (LookupError, RuntimeError, TypeError, ValueError) as error:
                if isinstance(error, UsageError):
                    raise
                raise UsageError(
                    f"{self.folder.checkpoint} doesn't fit this run ({error}); resume with the "
                    "options it was started with, or start again with --overwrite."
                ) from error
        # Metrics of steps taken after the checkpoint: those steps are taken again.
        if rank() == 0:
            self.folder.metrics.truncate(self.spent.step + self.fit.progress.step)

    def _train_stage(self, told: Callbacks, stopping: Callable[[], bool]) -> None:
        self.fit.prepare()
        while self.fit.share() < 1.0:
            told.on_step(self.fit, self._step(), self.selection.latest)
            self.checkpoints.poll()
            asked = stopping()
            if self.fit.mid_replay:
                continue
            # Rank 0 decides: signals and clocks reach the ranks at different steps.
            overdue = self.fit.progress.seconds - self._checkpointed > CHECKPOINT_EVERY
            stops, saves = agree(asked, overdue)
            if stops:
                self.fit.settle()
                self.checkpoint()
                self.checkpoints.wait()
                raise Interrupted
            if saves:
                self.checkpoint()

    def _make_method(self, stage: Stage, config: RunConfig) -> Method:
        return METHODS.load(stage.method)(self.network, self.target_source, config)

    def make_fit(self) -> Fit:
        """The stage `number`, from its beginning."""
        stage, budget = self.stage, self.budgets[self.number]
        assert budget is not None
        config = self.config.during(stage, self.source.signature.length)
        method = self._make_method(stage, config)
        if self.engine is not None:
            self.engine.require(method)
        return Fit(
            method, batches_of(stage, self.source, self.store), stage.lr, budget, config.fit,
            config.seed + 7919 * self.number, self.device, self.engine, config.dist.time,
        )  # fmt: skip

    def _step(self) -> dict[str, float]:
        terms = self.fit.step()
        if self.fit.progress.step % LOG_EVERY == 0:
            self._log(terms)
        # Evaluations lie at fixed shares of the whole budget, the same for all methods.
        done = sum(stage.share for stage in self.config.stages[: self.number])
        spent = done + self.stage.share * min(1.0, self.fit.share())
        due = self.selection.due(spent, self.config.fit.evaluations)
        if due and method_facts(self.stage.method).trains_network:
            found = self.selection.evaluate(self.network, self.source, self.fit.engine)
            self._log(found)
            terms |= measured(found)
        return terms

    def _log(self, terms: Mapping[str, float | None]) -> None:
        if rank() != 0:
            return
        spent = replace(self.spent)
        spent.add(self.fit.progress)
        row = {"stage": self.stage.method, "number": self.number} | asdict(spent)
        self.folder.metrics.append(row | {"seconds": round(spent.seconds, 3), **terms})

    def _skip_empty(self) -> None:
        """Go on to the first stage that has a budget."""
        while self.number < len(self.budgets) and self.budgets[self.number] is None:
            self.number += 1

    def _finish_stage(self) -> None:
        self.fit.settle()
        self.spent.add(self.fit.progress)
        self.number += 1
        self._skip_empty()
        self._checkpointed = 0.0
        if self.number < len(self.config.stages):
            self.fit = self.make_fit()
            self.checkpoint()

    def _finish(self) -> None:
        """Put the best network and its teacher where readers look for them."""
        self.selection.restore(self.network)
        if self.engine is not None:
            join_parts_of(self)
        if rank() == 0:
            config = network_config(self.config, self.source.signature)
            extra = {"data": to_json(self.source.identity)}
            save_student(self.folder.student, self.network, config, self.source.codec, extra)
            if self.teacher:
                save_tensors(self.folder.teacher, self.teacher.state_dict(), {})
        self.checkpoint()
        self.checkpoints.wait()
