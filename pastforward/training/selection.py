"""L4. Which student of a run is kept: the one with the best held-out loss."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pastforward.analysis.evaluate import quick_loss
from pastforward.baselines import Network
from pastforward.data.source import Source

SEQUENCES, BATCH = 256, 64


@dataclass
class Selection:
    """Held-out evaluations of a run and the best student so far."""

    evaluations: int = 0
    latest: float | None = None
    best: float = float("inf")
    """Nats per output."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    """State of the best student; empty before the first look."""

    def due(self, share: float, evaluations: int) -> bool:
        """Is the next of `evaluations`, spread evenly over a run, reached at `share` of it?"""
        # The sum of shares may end a rounding error below 1.
        number = int(evaluations * share + 1e-6)
        due, self.evaluations = number > self.evaluations, max(number, self.evaluations)
        return due

    def evaluate(self, student: Network, source: Source) -> float:
        """Evaluate the student alone, and keep it if none was better."""
        self.latest = quick_loss(student, source.held_out("valid", BATCH, SEQUENCES))
        if self.latest < self.best:
            self.best = self.latest
            state = student.state_dict()
            self.tensors = {name: tensor.detach().clone() for name, tensor in state.items()}
        return self.latest

    def facts(self) -> dict[str, Any]:
        """All but the tensors."""
        return {"looks": self.evaluations, "latest": self.latest, "best": self.best}
