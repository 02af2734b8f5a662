"""L0. Figures by which the best student can be chosen, by name. Imports no torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A held-out figure of a network."""

    label: str
    """What people read."""
    place: tuple[str, ...]
    """Where it stands in a `Score` as JSON."""
    higher: bool
    """Is a higher one better?"""
    share: bool = False
    """Is it a share of outputs, shown in percent?"""


def _of_classes(name: str, label: str, share: bool = False) -> Metric:
    return Metric(label, ("classes", name), higher=True, share=share)


METRICS = {
    "loss": Metric("nats", ("nats",), higher=False),
    "accuracy": Metric("accuracy", ("accuracy",), higher=True, share=True),
    "balanced_accuracy": _of_classes("balanced_accuracy", "balanced accuracy", share=True),
    "macro_f1": _of_classes("macro_f1", "macro F1"),
    "mse": Metric("MSE", ("numbers", "mse"), higher=False),
    "mae": Metric("MAE", ("numbers", "mae"), higher=False),
    "r2": Metric("R2", ("numbers", "r2"), higher=True),
}
OF_CLASSES = ("accuracy", "balanced_accuracy", "macro_f1")
OF_NUMBERS = ("mse", "mae", "r2")


def figure(name: str, score: Mapping[str, Any]) -> float | None:
    """The metric of a `Score` as JSON; None where the score doesn't have it."""
    found: Any = score
    for key in METRICS[name].place:
        found = (found or {}).get(key)
    return found


def cost(name: str, value: float | None) -> float:
    """The metric so that lower is better; inf for what is None or not finite."""
    if value is None or not math.isfinite(value):
        return math.inf
    return -value if METRICS[name].higher else value
