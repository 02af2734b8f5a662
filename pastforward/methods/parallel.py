"""L3. Plain cross-entropy, all times at once: how a peer is trained, and a Transformer that guides.

No cell is called and nothing is unrolled; the network itself is parallel over time.
"""

from collections.abc import Iterable
from typing import final

import torch
from torch import nn

from pastforward.baselines.base import Baseline
from pastforward.losses import masked_mean
from pastforward.methods.base import Losses, Method, Transform
from pastforward.outputs import nll
from pastforward.types import AnyBatch


@final
class Parallel(Method):
    """-log p(y_t) of a peer at every t where y_t counts."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self._predict = baseline.predict

    def modules(self) -> Iterable[nn.Module]:
        """See `Method`."""
        return (self.baseline,)

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return 0

    def compile(self, transform: Transform) -> None:
        """See `Method`: the whole network is one graph."""
        self._predict = transform(self.baseline.predict)

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        surprise = nll(self.baseline.signature.outputs, self._predict(batch.x), batch.y)
        readout = masked_mean(surprise, batch.mask)
        return Losses(readout, {"readout": readout.detach()})
