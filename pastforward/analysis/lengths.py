"""L4. Loss beyond the trained length, and by memory size."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pastforward.analysis.evaluate import evaluate
from pastforward.analysis.meters import Score
from pastforward.data import DataConfig
from pastforward.data.codec import Codec
from pastforward.data.opening import known_names, open_data
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.report.summary import RunSummary
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher

_POSITIONS = 8192
"""Positions in a batch at most, as far as one sequence allows."""


@dataclass(frozen=True)
class AtLength:
    """Losses on sequences of one length."""

    length: int
    sequences: int
    student: Score
    teacher: Score | None
    reference: float | None
    """Nats per output of the unigram model at this length, where the source knows it."""


def loss_by_length(
    student: Student, teacher: Teacher | None, open_at: Callable[[int], Source],
    lengths: Iterable[int], split: str = "test", limit: int = 256,
) -> Iterator[AtLength]:  # fmt: skip
    """Measure at each length in turn, on `limit` sequences; `open_at(length)` gives the data.

    Raises `UsageError` where the data has no such length, or other symbols there.
    """
    for length in lengths:
        source = open_at(length)
        size = max(1, min(64, _POSITIONS // length))
        found = evaluate(student, teacher, source, split, limit, size)
        reference = found.references.get("unigram")
        yield AtLength(length, found.sequences, found.student, found.teacher, reference)


def at_length(data: DataConfig, length: int, codec: Codec | None = None) -> Source:
    """The data of a run in sequences of another length; `UsageError` where it has none.

    `codec` is that of the run, which scales and encodes them.
    """
    head, comma, axes = data.source.partition(",")
    name, _, suffix = head.partition(":")
    named_length = name in known_names() and suffix.isdecimal()
    source = name + comma + axes if named_length else data.source
    return open_data(replace(data, source=source, length=length), codec)


_UNITS = {"seconds": "s", "steps": "steps", "tokens": "tokens"}


@dataclass(frozen=True)
class Point:
    """Runs that differ in their seeds only."""

    size: int
    """K * D, numbers in a memory."""
    nats: float
    """Mean of the student's held-out loss alone."""
    spread: float
    """Standard deviation over seeds; 0 for one run."""
    runs: int


def memory_loss_curve(runs: Iterable[RunSummary]) -> dict[str, list[Point]]:
    """Points by budget ('600 s', '2,000 steps'), budgets and sizes ascending.

    Where runs differ in data, cell or methods too, these are named after the budget, and only runs
    that agree in them are averaged. Runs of baselines have no memory and are left out. Raises
    `UsageError` when no run is left.
    """
    groups: dict[tuple, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        config, nats = run.facts["config"], run.evaluation["student"]["nats"]
        if nats is not None and config.get("baseline") is None:
            student = config["student"]
            groups[_kind(config)][student["slots"] * student["width"]].append(nats)
    if not groups:
        raise UsageError("No run of a student with a finite loss was given; give at least one.")
    columns = list(zip(*groups, strict=True))[:3]
    differing = [place for place, column in enumerate(columns) if len(set(column)) > 1]
    return {
        _name(kind, differing): [_point(size, groups[kind][size]) for size in sorted(groups[kind])]
        for kind in sorted(groups)
    }


def _kind(config: dict) -> tuple[str, str, str, str, float]:
    """Data, cell, methods, and the budget's unit and amount."""
    methods = "+".join(stage["method"] for stage in config["stages"])
    name = next(name for name in _UNITS if config["budget"][name] is not None)
    source, cell = config["data"]["source"], config["student"]["cell"]
    return source, cell, methods, _UNITS[name], config["budget"][name]


def _name(kind: tuple, differing: list[int]) -> str:
    return ", ".join([f"{kind[4]:,.0f} {kind[3]}", *(kind[place] for place in differing)])


def _point(size: int, nats: list[float]) -> Point:
    spread = statistics.stdev(nats) if len(nats) > 1 else 0.0
    return Point(size, statistics.fmean(nats), spread, len(nats))
