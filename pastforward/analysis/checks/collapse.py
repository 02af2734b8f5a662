"""L4. Have memories become the same for all sequences, or a function of t alone?"""

import torch
from torch import Tensor

from pastforward.analysis.checks.context import CheckContext
from pastforward.analysis.checks.result import CheckResult, Level, graded
from pastforward.analysis.collapse import Collapse
from pastforward.losses import MIN_VARIANCE

MIN_RANK = 2.0
"""Effective rank below which memories differ along a line. Right for one bit, rarely for more."""
MAX_SIMILARITY = 0.99
"""Mean cosine of pairs that are 8 degrees apart."""
SMALL_VARIANCE = 0.05
"""Variance across sequences, of 1 at most, that is about that of --smt.noise 0.2."""


def target_collapse(context: CheckContext) -> CheckResult:
    """Targets must differ between sequences at the same step."""
    targets = context.memories.targets  # raises Skip without a teacher
    return _result(
        "Targets", context.evaluation.collapse["targets"], targets,
        "a constant memory is easiest to predict, so the dynamics loss pulled targets together",
        "raise --smt.uniformity tenfold, lower --smt.encoder-gradient-scale or --smt.dynamics, or "
        "give the first stage (teacher) a larger --stages.0.share",
    )  # fmt: skip


def student_collapse(context: CheckContext) -> CheckResult:
    """The student's own memories must differ between sequences at the same step."""
    return _result(
        "The student's memories", context.evaluation.collapse["student"], context.own,
        "its targets collapsed, or the cell forgets its inputs within a few steps",
        "see the result of 'targets differ' first; then a longer --dmt.window, --cell.scale 0.1, "
        "another --student.cell, or a higher learning rate in the last stage",
    )  # fmt: skip


def spread(memories: Tensor) -> float:
    """Variance across sequences at the same step, averaged over t = 1..T: 0 if t decides all."""
    return float(memories[:, 1:].double().var(0, correction=0).mean())


def variance_by_direction(memories: Tensor) -> list[float]:
    """Share of variance within the first n principal directions, n = 1..K * D."""
    rows = memories[:, 1:].flatten(0, 1).flatten(1).double()
    values = torch.linalg.eigvalsh(torch.atleast_2d(torch.cov(rows.T, correction=0))).flip(0)
    values = values.clamp(min=0.0)
    return (values.cumsum(0) / values.sum().clamp(min=1e-12)).tolist()


def _result(whose: str, found: Collapse, memories: Tensor, cause: str, advice: str) -> CheckResult:
    variance = spread(memories)
    measured = (
        f"{whose} differ between sequences at the same step with variance {variance:.3f} (at least "
        f"{MIN_VARIANCE}, warning below {SMALL_VARIANCE}), have effective rank {found.rank:.1f} "
        f"(warning below {MIN_RANK:g}) and cosine similarity {found.similarity:.3f} (below "
        f"{MAX_SIMILARITY})."
    )
    figures = {"spread": variance, "rank": found.rank, "similarity": found.similarity}
    return graded(_level(variance, found), measured, cause, advice, figures)


def _level(variance: float, found: Collapse) -> Level:
    # Below MIN_VARIANCE the dynamics loss hardly depends on how memories differ.
    if not variance >= MIN_VARIANCE or found.similarity >= MAX_SIMILARITY:
        return Level.FAILED
    few = found.rank < MIN_RANK or variance < SMALL_VARIANCE
    return Level.WARNING if few else Level.OK
