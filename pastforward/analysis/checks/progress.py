"""L4. Was the training over when it ended?"""

from typing import Any

from pastforward.analysis.checks.context import CheckContext, History
from pastforward.analysis.checks.result import CheckResult, Level, Skip, graded

FALLING = 0.05
"""Part of the best loss's gain over the floor that came in the last quarter of the looks."""
_FEWEST = 8
"""Looks at held-out data from which a course can be told."""


def finished(context: CheckContext) -> CheckResult:
    """Did the run come to its end?"""
    history = _past(context)
    steps = history.rows[-1]["step"] if history.rows else 0
    how = "came to its end" if history.finished else "was stopped early"
    return graded(
        Level.OK if history.finished else Level.WARNING,
        f"The run {how}, after {steps:,} optimiser steps.",
        "it was interrupted: what is examined here is its best student so far",
        "go on with --resume in the command that began it", {"steps": steps},
    )  # fmt: skip


def learning(context: CheckContext) -> CheckResult:
    """Did the held-out loss of the student still fall, or had it begun to rise?"""
    valid = [row["valid"] for row in _looks(_past(context))]
    if len(valid) < _FEWEST:
        raise Skip(f"{len(valid)} looks at held-out data are too few to tell, {_FEWEST} are enough")
    cut, best = len(valid) - len(valid) // 4, min(valid)
    gain = context.reference - best
    if not gain > 0:
        raise Skip("the student never was better than its floor")
    late, rise = (min(valid[:cut]) - best) / gain, (valid[-1] - best) / gain
    measured = (
        f"Of its gain over the floor, the student made {max(0.0, late):.0%} in the last quarter of "
        f"{len(valid)} looks (warning from {FALLING:.0%}) and lost {rise:.0%} again before the end "
        f"(warning from {FALLING:.0%})."
    )
    cause, advice = _words(late)
    level = Level.WARNING if max(late, rise) >= FALLING else Level.OK
    return graded(level, measured, cause, advice, {"late": late, "rise": rise})


def _words(late: float) -> tuple[str, str]:
    if late >= FALLING:
        return "the budget ended before the learning did", "train longer: --seconds, --steps"
    return (
        "the student was better in between, and that one is kept: it began to learn by heart, or a "
        "stage undid what the one before had learnt",
        "see the train - held-out gaps; a lower learning rate in the last stage (--stages.N.lr)",
    )


def _past(context: CheckContext) -> History:
    if context.history is None:
        raise Skip("networks were given without the run that trained them")
    return context.history


def _looks(history: History) -> list[dict[str, Any]]:
    return [row for row in history.rows if row.get("valid") is not None]
