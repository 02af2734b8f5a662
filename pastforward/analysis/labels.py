"""L4. Figures of labelled data: classes by precision, recall and F1; numbers by their errors."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Bool
from torch import Tensor

from pastforward.analysis.metrics import OF_CLASSES, OF_NUMBERS
from pastforward.data.codec import Codec, LabelCodec
from pastforward.types import Flags, Kind, Quantiles, Tokens, Vectors

MOST_CLASSES = 500
"""Beyond these a confusion matrix is neither kept nor shown."""


@dataclass(frozen=True)
class ClassScore:
    """Figures of classes, or of flags, each of which is a class of its own.

    Means are over what can be measured: of classes that never occur there is no recall, and no F1
    of those that were never predicted either.
    """

    names: list[str]
    accuracy: float
    """Share of right answers: of outputs, or of flags of outputs."""
    majority: float
    """Accuracy of always giving the most frequent answer among these outputs."""
    balanced_accuracy: float
    """Mean recall of the classes; of a flag that of yes and no, averaged over flags."""
    macro_f1: float | None
    """Mean F1 of the classes; None for flags that all never occur."""
    precision: list[float | None]
    """By class, the share right among those predicted; None where it never was."""
    recall: list[float | None]
    """By class, the share found among those that are; None where there is none."""
    f1: list[float | None]
    count: list[int]
    """By class, outputs that are of it."""
    confusion: list[list[int]] | None
    """Counts by true class (rows) and predicted one; None for flags and many classes."""


@dataclass(frozen=True)
class NumberScore:
    """Errors of predicted numbers, in the unit of the data; means are over the outputs' C."""

    mse: float
    mae: float
    r2: float | None
    """1 - MSE over the variance of these targets: 0 for their mean; None if they are constant."""
    mse_of: list[float]
    """`[C]`"""
    mae_of: list[float]
    """`[C]`"""
    r2_of: list[float | None]
    """`[C]`"""


class ClassMeter:
    """Accumulates predicted and true classes."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.pairs = list(names), Counter[tuple[int, int]]()

    def add(
        self, predicted: Tensor, y: Tensor, mask: Bool[Tensor, "batch length"]
    ) -> None:  # fmt: skip
        """Classes `[B, T]`, of which those count where the mask is True."""
        pairs = torch.stack([y[mask], predicted[mask]], 1).long().cpu()
        found, counts = pairs.unique(dim=0, return_counts=True)
        for pair, count in zip(found.tolist(), counts.tolist(), strict=True):
            self.pairs[pair[0], pair[1]] += count

    def join(self, other: Self) -> None:
        """Add what another meter has seen."""
        self.pairs.update(other.pairs)

    def read(self) -> ClassScore:
        """The figures over all batches."""
        classes = len(self.names)
        true, predicted, right = ([0] * classes for _ in range(3))
        for (of, found), count in self.pairs.items():
            true[of] += count
            predicted[found] += count
            right[of] += count * (of == found)
        recall = _shares(right, true)
        return ClassScore(
            self.names, sum(right) / sum(true), max(true) / sum(true), _mean(recall) or 0.0,
            **_by_class(right, predicted, true), confusion=self._confusion(),
        )  # fmt: skip

    def _confusion(self) -> list[list[int]] | None:
        classes = range(len(self.names))
        if len(classes) > MOST_CLASSES:
            return None
        return [[self.pairs[of, found] for found in classes] for of in classes]


class FlagMeter:
    """Accumulates predicted and true flags."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.outputs = list(names), 0
        self.true, self.predicted, self.right = torch.zeros(3, len(names), dtype=torch.int64)

    def add(
        self, predicted: Tensor, y: Tensor, mask: Bool[Tensor, "batch length"]
    ) -> None:  # fmt: skip
        """Flags `[B, T, C]`, 0 or 1, of which those count where the mask `[B, T]` is True."""
        wanted, found = (flags[mask].cpu() > 0.5 for flags in (y, predicted))
        self.outputs += len(wanted)
        self.true += wanted.sum(0)
        self.predicted += found.sum(0)
        self.right += (wanted & found).sum(0)

    def join(self, other: Self) -> None:
        """Add what another meter has seen."""
        add_counts(self, other, ("outputs", "true", "predicted", "right"))

    def read(self) -> ClassScore:
        """The figures over all batches."""
        true, predicted, right = (of.tolist() for of in (self.true, self.predicted, self.right))
        absent = [self.outputs - of for of in true]
        rejected = (self.outputs - self.true - self.predicted + self.right).tolist()
        pairs = zip(_shares(right, true), _shares(rejected, absent), strict=True)
        balanced, every = [_mean(pair) for pair in pairs], self.outputs * len(self.names)
        return ClassScore(
            self.names, (sum(right) + sum(rejected)) / every,
            sum(map(max, true, absent)) / every, _mean(balanced) or 0.0,
            **_by_class(right, predicted, true), confusion=None,
        )  # fmt: skip


class NumberMeter:
    """Accumulates predicted and true numbers, in float64."""

    def __init__(self, std: Sequence[float]) -> None:
        """`std` `[C]` is what one standard deviation of the network's numbers is in the data."""
        self.std, self.outputs = torch.tensor(std, dtype=torch.float64), 0
        sums = torch.zeros(4, len(std), dtype=torch.float64)
        self.squares, self.errors, self.sum, self.sum_of_squares = sums

    def add(
        self, predicted: Tensor, y: Tensor, mask: Bool[Tensor, "batch length"]
    ) -> None:  # fmt: skip
        """Standardised numbers `[B, T, C]`, which count where the mask `[B, T]` is True."""
        wanted = y[mask].double().cpu()
        error = predicted[mask].double().cpu() - wanted
        self.outputs += len(wanted)
        self.squares += error.square().sum(0)
        self.errors += error.abs().sum(0)
        self.sum += wanted.sum(0)
        self.sum_of_squares += wanted.square().sum(0)

    def join(self, other: Self) -> None:
        """Add what another meter has seen."""
        add_counts(self, other, ("outputs", "squares", "errors", "sum", "sum_of_squares"))

    def read(self) -> NumberScore:
        """The figures over all batches."""
        mse, variance = self.squares / self.outputs, self._variance().tolist()
        explained = [
            1.0 - error / of if of > 1e-12 else None
            for error, of in zip(mse.tolist(), variance, strict=True)
        ]
        mse, mae = mse * self.std.square(), self.errors / self.outputs * self.std
        return NumberScore(
            float(mse.mean()), float(mae.mean()), _mean(explained),
            mse.tolist(), mae.tolist(), explained,
        )  # fmt: skip

    def _variance(self) -> Tensor:
        return self.sum_of_squares / self.outputs - (self.sum / self.outputs).square()


def add_counts(meter: object, other: object, names: Sequence[str]) -> None:
    """Add attributes of another meter to those of the same names."""
    for name in names:
        setattr(meter, name, getattr(meter, name) + getattr(other, name))


LabelMeter = ClassMeter | FlagMeter | NumberMeter


def label_meter(kind: Kind, codec: Codec | None) -> LabelMeter | None:
    """The meter that suits labelled outputs; None for data without labels, so that it is free."""
    if not isinstance(codec, LabelCodec):
        return None
    if isinstance(kind, Vectors | Quantiles):
        return NumberMeter(codec.std)
    size = kind.size if isinstance(kind, Tokens) else kind.width
    names = codec.classes or tuple(map(str, range(size)))
    return FlagMeter(names) if isinstance(kind, Flags) else ClassMeter(names)


def metrics_of(kind: Kind, codec: Codec) -> tuple[str, ...]:
    """Names in `METRICS` that such outputs have."""
    if isinstance(codec, LabelCodec):
        return ("loss", *(OF_NUMBERS if isinstance(kind, Vectors | Quantiles) else OF_CLASSES))
    return ("loss", "accuracy") if isinstance(kind, Tokens) else ("loss",)


def _by_class(right: list[int], predicted: list[int], true: list[int]) -> dict[str, Any]:
    """Macro F1; precision, recall, F1 and count by class."""
    both = [a + b for a, b in zip(predicted, true, strict=True)]
    f1 = _shares([2 * count for count in right], both)
    return {
        "macro_f1": _mean(f1), "precision": _shares(right, predicted),
        "recall": _shares(right, true), "f1": f1, "count": true,
    }  # fmt: skip


def _shares(of: Sequence[int], whole: Sequence[int]) -> list[float | None]:
    return [a / b if b else None for a, b in zip(of, whole, strict=True)]


def _mean(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None
