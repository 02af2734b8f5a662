"""L4. Training without a run folder: `fit` one method, or `fit_stages` all of a config's."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from pastforward.baselines.base import Baseline, Network
from pastforward.config import Budget, RunConfig
from pastforward.data.source import Source
from pastforward.methods import METHODS
from pastforward.methods import facts as method_facts
from pastforward.methods.base import Method
from pastforward.student import Student
from pastforward.teacher.label_store import open_labels
from pastforward.training import FitConfig
from pastforward.training.callbacks import Callback, Callbacks
from pastforward.training.check import check
from pastforward.training.feeding import Batches
from pastforward.training.loop import Fit
from pastforward.training.networks import (
    Selection,
    batches_of,
    build_networks,
    measured,
    require_metric,
)


@dataclass(frozen=True)
class FitContext:
    """Where and how `fit` runs a method."""

    device: torch.device | str | None = None
    """Where networks are moved to and batches read; where the networks are, when None."""
    seed: int = 0
    """Of batches and noise. `fit_stages` has that of its config."""
    validation: Source | None = None
    """Held-out data: the trained student (or baseline) is evaluated on its 'valid' split
    `FitConfig.evaluations` times, and left with the best weights by `FitConfig.select`."""
    callbacks: Sequence[Callback] = ()


def fit(
    method: Method, source: Batches, lr: float, budget: Budget,
    config: FitConfig = FitConfig(), context: FitContext = FitContext(),
) -> Fit:  # fmt: skip
    """Train `method` on `source` for `budget` at learning rate `lr`.

    Raises `UsageError` where `config.select` doesn't fit the outputs, and `NonFiniteLoss` where a
    loss becomes infinite or NaN.
    """
    if context.validation is not None:
        require_metric(config.select, context.validation)
    device = _move(method, context.device)
    stage = Fit(method, source, lr, budget, config, context.seed, device)
    network = next((m for m in method.modules() if isinstance(m, Student | Baseline)), None)
    watch = _Watch(config, context.validation, Callbacks(context.callbacks))
    try:
        watch.told.on_stage(type(method).__name__, 0, 1)
        watch.train(stage, network)
    finally:
        watch.told.on_end()
    if network is not None:
        watch.selection.restore(network)
    return stage


def fit_stages(config: RunConfig, source: Source, context: FitContext = FitContext()) -> Network:
    """Train what `config` describes on `source`, stage by stage, and return the network.

    Evaluations lie at fixed shares of the whole budget, on the 'valid' split of
    `context.validation` (of `source` when None); the network is left with the best weights. Raises
    `UsageError` for parts that don't fit each other and `NonFiniteLoss`.
    """
    store = None if config.label_store is None else open_labels(config.label_store)
    check(config, source, store and store.facts)
    require_metric(config.fit.select, context.validation or source)
    network, teacher = build_networks(config, source.signature, store)
    told = Callbacks(context.callbacks)
    watch = _Watch(config.fit, context.validation or source, told)
    budgets = config.budget.divide([stage.share for stage in config.stages])
    try:
        for number, (stage, budget) in enumerate(zip(config.stages, budgets, strict=True)):
            if budget is not None:
                during = config.during(stage, source.signature.length)
                method = METHODS.load(stage.method)(network, teacher, during)
                seed, device = config.seed + 7919 * number, _move(method, context.device)
                read = batches_of(stage, source, store)
                part = Fit(method, read, stage.lr, budget, during.fit, seed, device)
                told.on_stage(stage.name, number, len(config.stages))
                trained = method_facts(stage.method).trains_network
                watch.train(part, network if trained else None, stage.share)
            watch.before += stage.share
    finally:
        told.on_end()
    watch.selection.restore(network)
    return network


@dataclass
class _Watch:
    """Evaluates what is trained, keeps the best of it, and tells callbacks."""

    config: FitConfig
    validation: Source | None
    told: Callbacks
    before: float = 0.0
    """Share of the budget of the stages that are done."""
    selection: Selection = field(init=False)

    def __post_init__(self) -> None:
        self.selection = Selection(self.config.select)

    def train(self, stage: Fit, network: Network | None, share: float = 1.0) -> None:
        """All steps of a stage that has `share` of the budget; None for a network to leave out."""
        stage.prepare()
        while stage.share() < 1.0:
            terms = stage.step()
            done = self.before + share * min(1.0, stage.share())
            due = self.selection.due(done, self.config.evaluations)
            if due and self.validation is not None and network is not None:
                terms |= measured(self.selection.evaluate(network, self.validation, stage.engine))
            self.told.on_step(stage, terms, self.selection.latest)
        stage.settle()


def _move(method: Method, device: torch.device | str | None) -> torch.device:
    """Move all networks of a method, those it doesn't train too; returns their device."""
    networks = [value for value in vars(method).values() if isinstance(value, nn.Module)]
    if device is None:
        parameters = (p for network in networks for p in network.parameters())
        return next((p.device for p in parameters), torch.device("cpu"))
    for network in networks:
        network.to(device)
    return torch.device(device)
