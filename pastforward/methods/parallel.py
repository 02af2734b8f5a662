"""L3. Plain cross-entropy, all times at once: how a peer is trained, and a Transformer that guides.

No cell is called and nothing is unrolled; the network itself is parallel over time.
"""

from collections.abc import Iterable
from typing import final

import torch
from torch import nn

from pastforward.methods.base import Losses, Method, Transform
from pastforward.objectives import masked_mean
from pastforward.outputs import nll
from pastforward.peers import Peer
from pastforward.types import AnyBatch


@final
class Parallel(Method):
    """-log p(y_t) of a peer at every t where y_t counts."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._predict = peer.predict

    def modules(self) -> Iterable[nn.Module]:
        """See `Method`."""
        return (self.peer,)

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return 0

    def compile(self, transform: Transform) -> None:
        """See `Method`: the whole network is one graph."""
        self._predict = transform(self.peer.predict)

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        surprise = nll(self.peer.signature.outputs, self._predict(batch.x), batch.y)
        readout = masked_mean(surprise, batch.mask)
        return Losses(readout, {"readout": readout.detach()})
