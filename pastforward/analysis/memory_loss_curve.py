"""L4. The memory-loss curve: held-out loss by memory size, at a given training budget."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pastforward.errors import UsageError
from pastforward.report.summary import RunSummary

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
