"""L4. Losses of one network on held-out outputs, accumulated over batches."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pastforward.outputs import most_likely, nll
from pastforward.types import Kind, Tokens


@dataclass(frozen=True)
class Score:
    """Loss per output, over all outputs where the mask is True."""

    nats: float
    error: float | None
    """Standard error of `nats` over sequences; None for a single sequence."""
    bits: float
    accuracy: float | None
    """Share of outputs that were the most likely token; None for vectors."""
    by_position: list[float | None]
    """Nats per output at t = 1..T; None where no sequence has an output."""


class ScoreMeter:
    """Accumulates batches, in float64."""

    def __init__(self, kind: Kind, length: int) -> None:
        self.kind, self.right = kind, 0.0
        self.nats, self.outputs = torch.zeros(2, length, dtype=torch.float64)
        self.sequences: list[Tensor] = []

    def add(
        self,
        parameters: Float[Tensor, "batch length parameters"],
        y: Tensor,
        mask: Bool[Tensor, "batch length"],
    ) -> None:
        """Score output parameters of y_1..y_T."""
        nats = nll(self.kind, parameters, y).where(mask, 0.0).double().cpu()
        counted = mask.double().cpu()
        self.nats += nats.sum(0)
        self.outputs += counted.sum(0)
        self.sequences.append(torch.stack([nats.sum(1), counted.sum(1)], 1))
        if isinstance(self.kind, Tokens):
            self.right += float(((most_likely(self.kind, parameters) == y) & mask).sum())

    def read(self) -> Score:
        """The score over all batches."""
        outputs = float(self.outputs.sum())
        nats = float(self.nats.sum()) / outputs
        accuracy = self.right / outputs if isinstance(self.kind, Tokens) else None
        pairs = zip(self.nats.tolist(), self.outputs.tolist(), strict=True)
        by_position = [total / count if count else None for total, count in pairs]
        return Score(nats, self._error(nats), nats / math.log(2), accuracy, by_position)

    def _error(self, nats: float) -> float | None:
        # Standard error of a ratio: sequences may differ in their number of outputs.
        rows = torch.cat(self.sequences)
        if len(rows) < 2:
            return None
        residual = rows[:, 0] - nats * rows[:, 1]
        spread = residual.square().sum() * len(rows) / (len(rows) - 1)
        return float(spread.sqrt() / rows[:, 1].sum())
