"""L6. The search of learning rates: the same factors for every method, by figures on 'valid'."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pastforward.analysis.metrics import cost
from pastforward.files import write_json
from pastforward.runs.comparison.grid import SEARCH_SEED, Setting

Figures = Mapping[float, float | None]
"""Best held-out figure by factor; None where the loss became infinite or NaN."""


@dataclass(frozen=True)
class Choice:
    """What a search found for one setting."""

    setting: Setting
    found: Figures
    select: str = "loss"
    """The metric that chooses, a name in `METRICS`."""

    @property
    def factor(self) -> float | None:
        """The best factor; None when no run of the search stayed finite."""
        costs = {factor: cost(self.select, value) for factor, value in self.found.items()}
        finite = {factor: value for factor, value in costs.items() if math.isfinite(value)}
        return min(finite, key=lambda factor: finite[factor], default=None)

    @property
    def at_edge(self) -> bool:
        """Is the winner the least or largest of those tried? A better one may lie beyond."""
        return len(self.found) > 1 and self.factor in (min(self.found), max(self.found))

    def to_json(self) -> dict[str, Any]:
        """What was tried, how it went, what won."""
        tried = [{"factor": f, "valid": value} for f, value in self.found.items()]
        return asdict(self.setting) | {
            "seed": SEARCH_SEED, "select": self.select, "tried": tried, "factor": self.factor,
            "at_edge": self.at_edge,
        }  # fmt: skip


def best_valid(metrics: Sequence[Mapping[str, Any]], select: str = "loss") -> float | None:
    """The best held-out figure among rows of metrics.jsonl, by the metric that keeps students."""
    key = "valid" if select == "loss" else f"valid_{select}"
    found = [row[key] for row in metrics if math.isfinite(cost(select, row.get(key)))]
    return min(found, key=lambda value: cost(select, value), default=None)


def write_rates(root: Path, choices: Sequence[Choice]) -> Path:
    """Record a search in rates.json of the comparison's folder."""
    path = root / "rates.json"
    write_json(path, [choice.to_json() for choice in choices])
    return path
