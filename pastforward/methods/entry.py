"""L0. What a run has to know of a method before it builds one. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

from pastforward.registry import Entry


@dataclass(frozen=True)
class MethodEntry(Entry):
    """A row of `METHODS`.

    `target` names a builder `(network, teacher, config: RunConfig) -> Method`. `network` is the
    student or the baseline that is trained; `teacher` a `TargetSource`, an output teacher or None.
    """

    teacher: Literal["memory", "output"] | None = None
    """What it learns from: target memories, the outputs of a Transformer, or the data alone."""
    trains_teacher: bool = False
    """Does it train that teacher?"""
    trains_network: bool = True
    """Does it train the network that is kept? Held-out losses are of use only where it does."""
    windowed: bool = False
    """Does it cut sequences into windows, whose length a `Stage` may set?"""
    stored: bool = False
    """Can it train from a label store, without the teacher?"""
    network: Literal["student", "baseline"] = "student"
    """The kind of network that it trains."""
    lr_of: str | None = None
    """The method whose learning rate it takes where a recipe names none for it."""
    lr_factor: float = 1.0
    """Factor on that rate."""
    unit: Literal["targets", "tokens"] = "tokens"
    """What its throughput is counted in."""
