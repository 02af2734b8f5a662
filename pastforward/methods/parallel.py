"""L3. Cross-entropy of a network that is parallel over time: a baseline, or an output teacher."""

from collections.abc import Iterable
from typing import final

import torch
from torch import nn
from typing_extensions import override

from pastforward.baselines.base import Baseline
from pastforward.config import RunConfig
from pastforward.losses import mean_output_loss
from pastforward.methods.base import Losses, Method, Transform
from pastforward.types import AnyBatch


@final
class Parallel(Method):
    """The loss of y_t at every t where y_t counts."""

    fixed_graph = True

    def __init__(self, network: Baseline) -> None:
        self.network = network
        self._forward = network.forward

    @override
    def modules(self) -> Iterable[nn.Module]:
        return (self.network,)

    @override
    def serial_calls(self, length: int) -> int:
        return 0

    @override
    def compile(self, transform: Transform) -> None:
        self._forward = transform(self.network.forward)  # the whole network is one graph

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        parameters, _ = self._forward(batch.x)
        readout = mean_output_loss(self.network.signature, parameters, batch.y, batch.mask)
        return Losses(readout, {"readout": readout.detach()})


def build_parallel(network: Baseline, teacher: object, config: RunConfig) -> Parallel:
    """'parallel' of `METHODS`."""
    return Parallel(network)


def build_output_teacher_training(
    network: object, teacher: Baseline, config: RunConfig
) -> Parallel:
    """'transformer' of `METHODS`."""
    return Parallel(teacher)
