"""L4. Have memories become the same, or all but a clock?"""

import torch
from torch import Tensor

from pastforward.analysis.checks.context import CheckContext
from pastforward.analysis.checks.result import CheckResult, Level, graded
from pastforward.analysis.collapse import Collapse
from pastforward.losses import FLOOR

FEW_DIRECTIONS = 2.0
"""Effective rank below which memories differ along a line. Right for one bit, rarely for more."""
ALIKE = 0.99
"""Mean cosine of pairs that leaves them 8 degrees apart."""
SPREAD = 0.05
"""Variance across sequences, of 1 at most, below which noise of --smt.noise 0.2 drowns it."""


def label_collapse(context: CheckContext) -> CheckResult:
    """Labels must differ between sequences at the same step."""
    targets = context.memories.targets
    return _finding(
        "Labels", context.evaluation.collapse["labels"], targets,
        "a constant memory is easiest to predict, so the dynamics loss pulled labels together",
        "raise --smt.uniformity tenfold, lower --smt.encoder-gradient-scale or --smt.dynamics, or give the first "
        "stage (teacher) a larger --stages.0.share",
    )  # fmt: skip


def student_collapse(context: CheckContext) -> CheckResult:
    """The student's own memories must differ between sequences at the same step."""
    return _finding(
        "The student's memories", context.evaluation.collapse["student"], context.own,
        "its labels collapsed, or the cell forgets its inputs within a few steps",
        "see the labels' finding first; then more --dmt.window, another --student.cell, or a "
        "higher learning rate in the last stage",
    )  # fmt: skip


def _finding(whose: str, meter: Collapse, memories: Tensor, cause: str, advice: str) -> CheckResult:
    apart = spread(memories)
    measured = (
        f"{whose} differ between sequences at the same step with variance {apart:.3f} (at least "
        f"{FLOOR}, warning below {SPREAD}), have effective rank {meter.rank:.1f} (warning below "
        f"{FEW_DIRECTIONS:g}) and cosine similarity {meter.similarity:.3f} (below {ALIKE})."
    )
    figures = {"spread": apart, "rank": meter.rank, "similarity": meter.similarity}
    return graded(_level(apart, meter), measured, cause, advice, figures)


def spread(memories: Tensor) -> float:
    """Variance across sequences at the same step, averaged over t = 1..T: a clock has none."""
    return float(memories[:, 1:].double().var(0, correction=0).mean())


def _level(apart: float, meter: Collapse) -> Level:
    # Below its own floor the dynamics loss does not see how memories differ.
    if not apart >= FLOOR or meter.similarity >= ALIKE:
        return Level.FAILED
    few = meter.rank < FEW_DIRECTIONS or apart < SPREAD
    return Level.WARNING if few else Level.OK


def variance_by_direction(memories: Tensor) -> list[float]:
    """Share of variance within the first n directions, n = 1..K * D: the eigenvalue spectrum."""
    rows = memories[:, 1:].flatten(0, 1).flatten(1).double()
    values = torch.linalg.eigvalsh(torch.atleast_2d(torch.cov(rows.T, correction=0))).flip(0)
    values = values.clamp(min=0.0)
    return (values.cumsum(0) / values.sum().clamp(min=1e-12)).tolist()
