"""L4. Did the run end, and did its loss stop falling before that?"""

from pastforward.analysis.checks.context import CheckContext, History
from pastforward.analysis.checks.result import CheckResult, Level, Skip, graded

FALLING = 0.05
"""Share of the gain over the reference, made in the last quarter of evaluations or lost again."""
_FEWEST = 8
"""Evaluations on held-out data that are needed to tell."""


def finished(context: CheckContext) -> CheckResult:
    """Did the run come to its end?"""
    history = _history(context)
    steps = history.rows[-1]["step"] if history.rows else 0
    how = "came to its end" if history.finished else "was stopped early"
    return graded(
        Level.OK if history.finished else Level.WARNING,
        f"The run {how}, after {steps:,} optimiser steps.",
        "it was interrupted: this is its best student so far",
        "add --resume to the command that started it", {"steps": steps},
    )  # fmt: skip


def converged(context: CheckContext) -> CheckResult:
    """Did the held-out loss of the student still fall, or had it begun to rise?"""
    valid = [r["valid"] for r in _history(context).rows if r.get("valid") is not None]
    if len(valid) < _FEWEST:
        raise Skip(f"{len(valid)} held-out evaluations are too few to tell; {_FEWEST} are enough")
    cut, best = len(valid) - len(valid) // 4, min(valid)
    gain = context.reference - best
    if not gain > 0:
        raise Skip("the student was never better than the reference")
    late, rise = (min(valid[:cut]) - best) / gain, (valid[-1] - best) / gain
    measured = (
        f"Of its gain over the reference, the student made {max(0.0, late):.0%} in the last "
        f"quarter of {len(valid)} evaluations (warning from {FALLING:.0%}) and lost {rise:.0%} "
        f"again before the end (warning from {FALLING:.0%})."
    )
    cause, advice = _explained(late)
    level = Level.WARNING if max(late, rise) >= FALLING else Level.OK
    return graded(level, measured, cause, advice, {"late": late, "rise": rise})


def _explained(late: float) -> tuple[str, str]:
    if late >= FALLING:
        return (
            "the budget ended while the loss was still falling",
            "train longer: --seconds, --steps",
        )
    return (
        "the student was better before the end, and that one is kept: it began to memorise its "
        "training sequences, or a stage undid what the one before had learned",
        "see the results of 'student generalises' and 'teacher generalises'; a lower learning rate "
        "in the last stage (--stages.N.lr)",
    )


def _history(context: CheckContext) -> History:
    if context.history is None:
        raise Skip("the networks were given without the history of their run")
    return context.history
