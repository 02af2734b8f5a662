"""L5. Recipes by what target memories are: the tuned ones with sizes from the data alone.

All are Markov by construction, so that a student can follow them. Which one suits some data, short
trials of their teachers tell (`pastforward.runs.choosing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pastforward.config import RunConfig
from pastforward.data import DataConfig
from pastforward.errors import UsageError, nearest
from pastforward.recipes.labelled import labelled
from pastforward.recipes.sizes import student_for
from pastforward.recipes.tuned import PREFIXES, copy, key_values, tracking

if TYPE_CHECKING:
    from pastforward.data.source import Source

AUTO = "auto"
"""In place of a name: the one whose teacher does best in short trials."""
_WIDEST = 64
"""D of 8 slots, whatever T is."""
_KEYS = 16
"""Directions of keys. Inputs may have more symbols, but not all are keys, and a step takes a time
of their cube."""


@dataclass(frozen=True)
class Facts:
    """What a recipe needs to know of some data."""

    data: DataConfig
    length: int
    prefixes: tuple[int, ...]
    """Those of `PREFIXES` that hold two outputs or more."""
    at_end: bool
    """Are there few outputs a sequence?"""


Recipe = Callable[[Facts, str, str], RunConfig]
"""(facts, strategy, cell) -> config."""


def _linear(facts: Facts, strategy: str, cell: str) -> RunConfig:
    found = copy(strategy, cell, facts.length)
    memory = replace(found.student, width=min(found.student.width, _WIDEST))
    return replace(found, data=facts.data, student=memory)


def _keys(facts: Facts, strategy: str, cell: str) -> RunConfig:
    return key_values(_KEYS, facts.data, facts.length, strategy, cell)


def _tracking(facts: Facts, strategy: str, cell: str) -> RunConfig:
    memory = student_for(cell, slots=8, width=32)
    return tracking(facts.data, facts.length, memory, facts.prefixes, strategy)


def _stack(facts: Facts, strategy: str, cell: str) -> RunConfig:
    return labelled(facts.data, facts.length, strategy, cell, at_end=False)


def _fourier(facts: Facts, strategy: str, cell: str) -> RunConfig:
    return labelled(facts.data, facts.length, strategy, cell, at_end=True)


TARGETS: dict[str, tuple[Recipe, str]] = {
    "linear": (_linear, "a linear recurrence of what a Transformer writes: what was read when"),
    "keys": (_keys, "matrices written by the delta rule: what followed what"),
    "tracking": (_tracking, "matrices turned by every input: a state that inputs move"),
    "stack": (_stack, "layers of linear recurrences: features of features, at every step"),
    "fourier": (_fourier, "a linear recurrence of the inputs: few outputs, far from their causes"),
}
"""Recipes with a line about their memories."""


def facts_of(source: Source, data: DataConfig) -> Facts:
    """What recipes need to know of a source that `data` names."""
    length = source.signature.length
    mask = source.batch(0, 0, 8).mask
    counts = {steps: mask[:, :steps].sum(1).float().mean() for steps in PREFIXES if steps < length}
    return Facts(
        data, length,
        prefixes=tuple(steps for steps, count in counts.items() if count >= 2),
        at_end=bool(4 * mask.sum(1).max() <= length),
    )  # fmt: skip


def for_targets(name: str, facts: Facts, strategy: str, cell: str) -> RunConfig:
    """The config of a recipe; raises `UsageError` for an unknown name."""
    if name not in TARGETS:
        raise UsageError(f"There are no targets '{name}'; {nearest(name, [*TARGETS, AUTO])}.")
    return TARGETS[name][0](facts, strategy, cell)


def candidates(facts: Facts) -> list[str]:
    """Names worth a trial on the data."""
    return [name for name in TARGETS if name != "fourier" or facts.at_end]


def target_rows() -> Iterator[tuple[str, str]]:
    """For people: each name with a line about its memories."""
    for name, (_, said) in TARGETS.items():
        yield name, said
