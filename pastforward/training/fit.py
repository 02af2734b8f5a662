"""L4. `fit`: one method trained on data, without a run folder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pastforward.baselines.base import Baseline
from pastforward.config import Budget
from pastforward.data.source import Source
from pastforward.methods.base import Method
from pastforward.student import Student
from pastforward.training import FitConfig
from pastforward.training.callbacks import Callback, Callbacks
from pastforward.training.loop import Batches, Fit
from pastforward.training.networks import Selection, require_metric


@dataclass(frozen=True)
class FitContext:
    """Where and how `fit` runs a method."""

    device: torch.device | str | None = None
    """Where networks are moved to and batches read; where the networks are, when None."""
    seed: int = 0
    """Of batches and noise."""
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
    told, selection = Callbacks(context.callbacks), Selection(config.select)
    network = next((m for m in method.modules() if isinstance(m, Student | Baseline)), None)
    try:
        told.on_stage(type(method).__name__, 0, 1)
        stage.prepare()
        while stage.share() < 1.0:
            terms = stage.step()
            due = selection.due(min(1.0, stage.share()), config.evaluations)
            if due and context.validation is not None and network is not None:
                selection.evaluate(network, context.validation)
            told.on_step(stage, terms, selection.latest)
    finally:
        told.on_end()
    if network is not None:
        selection.restore(network)
    return stage


def _move(method: Method, device: torch.device | str | None) -> torch.device:
    """Move all networks of a method, those it doesn't train too; returns their device."""
    networks = [value for value in vars(method).values() if isinstance(value, nn.Module)]
    if device is None:
        parameters = (p for network in networks for p in network.parameters())
        return next((p.device for p in parameters), torch.device("cpu"))
    for network in networks:
        network.to(device)
    return torch.device(device)
