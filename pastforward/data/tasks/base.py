"""L1. What a synthetic task is: seeded draws, the true state, and the best possible loss.

A task is a frozen dataclass. Its fields are its axes of difficulty, whole numbers with bounds; the
first is T."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from pastforward.data.tasks import TASKS
from pastforward.errors import UsageError

LONGEST = 65536
"""The longest sequence that a task draws."""

Random = tuple[np.ndarray, ...]
"""What is random in B sequences: arrays `[B, ...]`."""


class Sequences(NamedTuple):
    """B sequences as arrays `[B, T]`: x and y int64, mask bool. Where the mask is False, y is 0."""

    x: np.ndarray
    y: np.ndarray
    mask: np.ndarray


class Axis(NamedTuple):
    """What an axis of difficulty counts, and its bounds."""

    meaning: str
    least: int
    most: int


def axis(default: int, meaning: str, least: int, most: int) -> Any:
    """A field of a task."""
    return field(default=default, metadata={"axis": Axis(meaning, least, most)})


def steps(default: int, least: int) -> Any:
    """The field `length` of a task."""
    return axis(default, "steps in a sequence", least, LONGEST)


def alphabet(default: int) -> Any:
    """The field `symbols` of a task."""
    return axis(default, "different symbols", 2, 4096)


@dataclass(frozen=True)
class Task(ABC):
    """Abstract. Raises `UsageError` when an axis is out of its bounds, or two don't fit."""

    family: ClassVar[str] = ""
    """Its name in `TASKS`."""
    length: int

    def __init_subclass__(cls, family: str = "") -> None:
        cls.family = family

    @abstractmethod
    def sizes(self) -> tuple[int, int]:
        """Numbers of input symbols and of output symbols."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        """All that is random in `size` sequences, a pure function of the generator's state."""

    @abstractmethod
    def build(self, random: Random) -> Sequences:
        """The sequences that follow from what was drawn, each from its own row."""

    @abstractmethod
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Views of the true state after x_1..x_t, by name: classes `[B, T]` from 0 up."""

    @property
    @abstractmethod
    def state_entropy(self) -> float:
        """About how many nats of the past a memory must hold, at its maximum over t."""

    @property
    def dependency_length(self) -> int:
        """About how many steps lie between an input and the last output that depends on it."""
        return self.length

    def best(self) -> float:
        """Nats per counted output of the best predictor from x_1..x_t; 0 where y_t is certain."""
        return 0.0

    def unigram(self) -> float:
        """Entropy of the counted outputs, in nats: ln V where they are uniform."""
        return float(np.log(self.sizes()[1]))

    def clash(self) -> str | None:
        """Which axes don't fit together and what would, or None."""
        return None

    @final
    def __post_init__(self) -> None:
        for one in fields(self):
            value, (_, least, most) = getattr(self, one.name), one.metadata["axis"]
            if not least <= value <= most:
                example = "" if one.name == "length" else f",{one.name}={one.default}"
                self._refuse(f"{one.name} {value}; give {least} to {most}", example)
        if problem := self.clash():
            self._refuse(problem)

    @final
    @property
    def name(self) -> str:
        """The canonical name: T, then every other axis that is not at its default."""
        others = [f for f in axes(type(self)) if getattr(self, f.name) != f.default]
        named = "".join(f",{f.name}={getattr(self, f.name)}" for f in others)
        return f"{self.family}:{self.length}{named}"

    def _refuse(self, problem: str, example: str = "") -> None:
        default = next(f.default for f in fields(self))
        raise UsageError(
            f"The {self.family} task was given {problem}, as in '{self.family}:{default}{example}'."
        )


def axes(task: type[Task]) -> tuple[Field, ...]:
    """The axes of a kind of task other than T."""
    return fields(task)[1:]


def task_rows() -> Iterator[tuple[str, str]]:
    """For people: each family with what it is, then its default T and axes."""
    for name, row in TASKS.items():
        task = TASKS.load(name)
        own = [f"{one.name}={one.default} ({one.metadata['axis'].meaning})" for one in axes(task)]
        yield name, row.summary
        yield "", ", ".join([f"T = {task.length}", *own])
