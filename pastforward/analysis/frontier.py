"""L4. Compression: the loss that a memory of some size reaches at some cost of training."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pastforward.evaluation.summary import RunSummary
from pastforward.types import UsageError


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


def frontier(runs: Iterable[RunSummary]) -> dict[str, list[Point]]:
    """Points by budget ('600 s', '2,000 steps'), budgets and sizes ascending.

    Raises `UsageError` when no run was given.
    """
    groups: dict[tuple[str, float], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        nats = run.evaluation["student"]["nats"]
        if nats is not None:
            student = run.facts["config"]["student"]
            groups[_budget(run)][student["slots"] * student["width"]].append(nats)
    if not groups:
        raise UsageError("No run with a finite loss was given; give at least one.")
    ordered = sorted(groups.items(), key=lambda item: item[0])
    return {
        f"{amount:,.0f} {unit}": [_point(size, sizes[size]) for size in sorted(sizes)]
        for (unit, amount), sizes in ordered
    }


def _budget(run: RunSummary) -> tuple[str, float]:
    budget = run.facts["config"]["budget"]
    units = {"seconds": "s", "steps": "steps", "tokens": "tokens"}
    return next((unit, budget[name]) for name, unit in units.items() if budget[name] is not None)


def _point(size: int, nats: list[float]) -> Point:
    spread = statistics.stdev(nats) if len(nats) > 1 else 0.0
    return Point(size, statistics.fmean(nats), spread, len(nats))
