"""L4. A meter of losses, fed batch by batch. Those of memories: `memory_meters`."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pastforward.analysis.labels import (
    ClassMeter,
    ClassScore,
    FlagMeter,
    NumberMeter,
    NumberScore,
    add_counts,
    label_meter,
)
from pastforward.data.codec import Codec
from pastforward.data.text_codec import SymbolsOfText
from pastforward.outputs import NATS, loss_unit, most_likely, output_loss
from pastforward.types import Kind, Tokens


@dataclass(frozen=True)
class Score:
    """Loss per output, over all outputs where the mask is True."""

    nats: float
    """In nats, or of quantiles the pinball loss: in `unit`."""
    error: float | None
    """Standard error of `nats` over sequences; None for a single sequence."""
    bits: float | None
    """None of quantiles."""
    accuracy: float | None
    """Share of outputs that were the most likely token, or of flags; None for numbers."""
    by_position: list[float | None]
    """Nats per output at t = 1..T; None where no sequence has an output."""
    classes: ClassScore | None = None
    """Of labelled classes and flags."""
    numbers: NumberScore | None = None
    """Of labelled numbers."""
    unit: str = NATS
    """Of `nats`, as people read it."""
    bits_per_byte: float | None = None
    """Bits for each UTF-8 byte of the text that outputs stand for: the same measure for bytes,
    characters and tokens. Ends of documents cost bits and hold no byte. None of other data."""


class ScoreMeter:
    """Accumulates batches, in float64; a batch may have fewer steps than `length`."""

    def __init__(self, kind: Kind, length: int, codec: Codec | None = None) -> None:
        """`codec` is that of the data; with a `LabelCodec`, labels are scored too."""
        self.kind, self.right = kind, 0.0
        self.labels = label_meter(kind, codec)
        self.bytes, self.sizes = 0, None
        if isinstance(codec, SymbolsOfText):
            self.sizes = torch.tensor([len(piece) for piece in codec.pieces])
        self.nats, self.outputs = torch.zeros(2, length, dtype=torch.float64)
        self.sequences: list[Tensor] = []

    def add(
        self, parameters: Float[Tensor, "batch length parameters"], y: Tensor,
        mask: Bool[Tensor, "batch length"],
    ) -> None:  # fmt: skip
        """Score output parameters of y_1..y_T."""
        nats = output_loss(self.kind, parameters, y).where(mask, 0.0).double().cpu()
        counted = mask.double().cpu()
        self.nats[: nats.shape[1]] += nats.sum(0)
        self.outputs[: nats.shape[1]] += counted.sum(0)
        self.sequences.append(torch.stack([nats.sum(1), counted.sum(1)], 1))
        if isinstance(self.kind, Tokens):
            self.right += float(((most_likely(self.kind, parameters) == y) & mask).sum())
        if self.sizes is not None:
            self.bytes += int(self.sizes[y[mask].cpu()].sum())
        if self.labels is not None:
            self.labels.add(most_likely(self.kind, parameters), y, mask)

    def join(self, other: "ScoreMeter") -> None:
        """Add what another meter has seen."""
        add_counts(self, other, ("nats", "outputs", "right", "bytes", "sequences"))
        if self.labels is not None:
            self.labels.join(other.labels)  # pyright: ignore

    def read(self) -> Score:
        """The score over all batches."""
        outputs = float(self.outputs.sum())
        nats = float(self.nats.sum()) / outputs
        accuracy = self.right / outputs if isinstance(self.kind, Tokens) else None
        classes = self.labels.read() if isinstance(self.labels, ClassMeter | FlagMeter) else None
        if classes is not None:
            accuracy = classes.accuracy
        numbers = self.labels.read() if isinstance(self.labels, NumberMeter) else None
        pairs = zip(self.nats.tolist(), self.outputs.tolist(), strict=True)
        by_position = [total / count if count else None for total, count in pairs]
        unit = loss_unit(self.kind)
        bits = nats / math.log(2) if unit == NATS else None
        per_byte = bits * outputs / self.bytes if bits is not None and self.bytes else None
        error = self._error(nats)
        return Score(nats, error, bits, accuracy, by_position, classes, numbers, unit, per_byte)

    def _error(self, nats: float) -> float | None:
        # Standard error of a ratio: sequences may differ in their number of outputs.
        rows = torch.cat(self.sequences)
        if len(rows) < 2:
            return None
        residual = rows[:, 0] - nats * rows[:, 1]
        spread = residual.square().sum() * len(rows) / (len(rows) - 1)
        return float(spread.sqrt() / rows[:, 1].sum())
