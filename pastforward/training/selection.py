"""L4. Which network of a run is kept: the one with the best held-out loss."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pastforward.analysis.evaluate import quick_loss
from pastforward.baselines.base import Network
from pastforward.data.source import Source

SEQUENCES, BATCH = 256, 64


@dataclass
class Selection:
    """Held-out evaluations of a run and the best network so far."""

    evaluations: int = 0
    latest: float | None = None
    best: float = float("inf")
    """Nats per output."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    """State of the best network; empty before the first evaluation."""

    def due(self, share: float, evaluations: int) -> bool:
        """Is the next of `evaluations`, spread evenly over a run, reached at `share` of it?"""
        # The sum of shares may end a rounding error below 1.
        number = int(evaluations * share + 1e-6)
        due, self.evaluations = number > self.evaluations, max(number, self.evaluations)
        return due

    def evaluate(self, network: Network, source: Source) -> float:
        """Held-out loss of the network alone, which is kept if none was better."""
        self.latest = quick_loss(network, source.held_out("valid", BATCH, SEQUENCES))
        if self.latest < self.best:
            self.best = self.latest
            state = network.state_dict()
            self.tensors = {name: tensor.detach().clone() for name, tensor in state.items()}
        return self.latest

    def restore(self, network: Network) -> None:
        """Put the best weights back, where there was an evaluation."""
        if self.tensors:
            network.load_state_dict(self.tensors)

    def facts(self) -> dict[str, Any]:
        """All but the tensors."""
        return {"evaluations": self.evaluations, "latest": self.latest, "best": self.best}
