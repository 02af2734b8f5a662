"""L2. A peer of the student's size: as wide as brings it nearest in parameters."""

from collections.abc import Callable

import torch
from torch import nn

from pastforward.baselines.base import Baseline
from pastforward.config import StudentConfig
from pastforward.types import Signature

BaselineBuilder = Callable[[Signature, int, int], Baseline]
"""`(signature, width, hidden units of the readout) -> Peer`."""


def parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in network.parameters())


def fitting_width(
    build: BaselineBuilder, step: int, signature: Signature, config: StudentConfig, wanted: int
) -> int:
    """The multiple of `step` at which the peer is nearest to `wanted` parameters.

    Networks are built on the meta device, where weights have no values: only sizes are asked for.
    """

    def count(multiple: int) -> int:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            return parameters(build(signature, step * multiple, config.hidden))

    low, high = 1, 2
    while count(high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return step * min((low, high), key=lambda multiple: abs(count(multiple) - wanted))
