"""L4. Which student of a run is kept: the one with the best held-out loss."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pastforward.data import Source
from pastforward.evaluation import quick_loss
from pastforward.peers import Network

SEQUENCES, BATCH = 256, 64


@dataclass
class Selection:
    """Held-out evaluations of a run and the best student so far."""

    looks: int = 0
    latest: float | None = None
    best: float = float("inf")
    """Nats per output."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    """State of the best student; empty before the first look."""

    def due(self, share: float, evaluations: int) -> bool:
        """Is the next of `evaluations`, spread evenly over a run, reached at `share` of it?"""
        # The sum of shares may end a rounding error below 1.
        number = int(evaluations * share + 1e-6)
        due, self.looks = number > self.looks, max(number, self.looks)
        return due

    def look(self, student: Network, source: Source) -> float:
        """Evaluate the student alone, and keep it if none was better."""
        self.latest = quick_loss(student, source.held_out("valid", BATCH, SEQUENCES))
        if self.latest < self.best:
            self.best = self.latest
            state = student.state_dict()
            self.tensors = {name: tensor.detach().clone() for name, tensor in state.items()}
        return self.latest

    def facts(self) -> dict[str, Any]:
        """All but the tensors."""
        return {"looks": self.looks, "latest": self.latest, "best": self.best}
