"""L6. The search of learning rates: the same factors for every method, by loss on 'valid'."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pastforward.files import write_json
from pastforward.runs.comparison.grid import SEARCH_SEED, Setting

Losses = Mapping[float, float | None]
"""Best held-out loss by factor; None where the loss became infinite or NaN."""


@dataclass(frozen=True)
class Choice:
    """What a search found for one setting."""

    setting: Setting
    losses: Losses

    @property
    def factor(self) -> float | None:
        """The factor with the lowest loss; None when no run of the search stayed finite."""
        finite = {f: loss for f, loss in self.losses.items() if _finite(loss)}
        return min(finite, key=lambda factor: finite[factor] or 0.0, default=None)

    @property
    def at_edge(self) -> bool:
        """Is the winner the least or largest of those tried? A better one may lie beyond."""
        return len(self.losses) > 1 and self.factor in (min(self.losses), max(self.losses))

    def to_json(self) -> dict[str, Any]:
        """What was tried, how it went, what won."""
        tried = [{"factor": f, "valid": loss} for f, loss in self.losses.items()]
        return asdict(self.setting) | {
            "seed": SEARCH_SEED, "tried": tried, "factor": self.factor, "at_edge": self.at_edge,
        }  # fmt: skip


def best_valid(metrics: Sequence[Mapping[str, Any]]) -> float | None:
    """The lowest held-out loss among rows of metrics.jsonl, whichever metric keeps students."""
    found = [row["valid"] for row in metrics if _finite(row.get("valid"))]
    return min(found, default=None)


def write_rates(root: Path, choices: Sequence[Choice]) -> Path:
    """Record a search in rates.json of the comparison's folder."""
    path = root / "rates.json"
    write_json(path, [choice.to_json() for choice in choices])
    return path


def _finite(loss: float | None) -> bool:
    return loss is not None and math.isfinite(loss)
