"""L4. Compression: the loss that a memory of some size reaches at some cost of training."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pastforward.errors import UsageError
from pastforward.report.summary import RunSummary


@dataclass(frozen=True)
class Point:
    """Runs alike but for their seeds."""

    size: int
    """K * D, numbers in a memory."""
    nats: float
    """Mean of the student's held-out loss alone."""
    spread: float
    """Standard deviation over seeds; 0 for one run."""
    runs: int


def memory_loss_curve(runs: Iterable[RunSummary]) -> dict[str, list[Point]]:
    """Points by budget ('600 s', '2,000 steps'), budgets and sizes ascending.

    Where runs differ in data, cell or methods too, these stand beside the budget, and only runs
    that agree in them are averaged. Raises `UsageError` when no run was given.
    """
    groups: dict[tuple, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        nats = run.evaluation["student"]["nats"]
        if nats is not None:
            student = run.facts["config"]["student"]
            groups[_kind(run)][student["slots"] * student["width"]].append(nats)
    if not groups:
        raise UsageError("No run with a finite loss was given; give at least one.")
    differing = [place for place, column in enumerate(zip(*groups, strict=True))
                 if len(set(column)) > 1 and place < 3]  # fmt: skip
    return {
        _name(kind, differing): [_point(size, groups[kind][size]) for size in sorted(groups[kind])]
        for kind in sorted(groups)
    }


def _kind(run: RunSummary) -> tuple[str, str, str, str, float]:
    """Data, cell, methods, and the budget's unit and amount."""
    config = run.facts["config"]
    methods = "+".join(stage["method"] for stage in config["stages"])
    units = {"seconds": "s", "steps": "steps", "tokens": "tokens"}
    name = next(name for name in units if config["budget"][name] is not None)
    source, cell = config["data"]["source"], config["student"]["cell"]
    return source, cell, methods, units[name], config["budget"][name]


def _name(kind: tuple, differing: list[int]) -> str:
    return ", ".join([f"{kind[4]:,.0f} {kind[3]}", *(kind[place] for place in differing)])


def _point(size: int, nats: list[float]) -> Point:
    spread = statistics.stdev(nats) if len(nats) > 1 else 0.0
    return Point(size, statistics.fmean(nats), spread, len(nats))
