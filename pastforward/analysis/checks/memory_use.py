"""L4. Are memories used, and have they collapsed?"""

import torch
from torch import Tensor

from pastforward.analysis.checks.context import CheckContext, CheckResult, Level, Skip, graded
from pastforward.analysis.evaluate import frozen
from pastforward.analysis.memory_meters import Collapse
from pastforward.losses import MIN_VARIANCE
from pastforward.outputs import output_loss
from pastforward.teacher.decoder import futures
from pastforward.types import Batch

LEAST = 0.01
"""Nats that the right memory must gain at least: 1% in likelihood."""
SURE = 4.0
"""Standard errors above zero. Chance does that once in 30,000 times, and the decoder's check takes
the best of up to a hundred."""
_POSITIONS = 2**15
"""Outputs decoded at most; eight sequences always are."""
_CAUSE = "the network ignores its memory: it learned the frequencies of outputs alone, or by t"


def student_memory(context: CheckContext) -> CheckResult:
    """The student's readout must be worse on memories of another sequence."""
    read, own = context.student.readout, context.own[:, 1:]
    with frozen(context.student):
        kept, swapped = context.losses(read(own)), context.losses(read(_next(own)))
        without = context.losses(read(torch.zeros_like(own)))
    gain, error = _mean_and_error(swapped - kept)
    measured = (
        f"The student's loss is {float(kept.mean()):.3f} {context.unit} with its own memory, "
        f"{float(swapped.mean()):.3f} with another sequence's, {float(without.mean()):.3f} without "
        f"(another's must cost {LEAST} and {SURE:g} standard errors of {error:.3f})."
    )
    return graded(
        _level(gain, error), measured, _CAUSE,
        "train longer; for long dependencies raise --smt.future to cover them and lower "
        "--cell.scale; see the results of 'targets differ' and 'memories differ'",
        {"own": float(kept.mean()), "other": float(swapped.mean()), "zero": float(without.mean())},
    )  # fmt: skip


def decoder_memory(context: CheckContext) -> CheckResult:
    """The decoder must be worse on targets of another sequence, given the same true inputs."""
    length = _future(context)
    kept, swapped = _decoded(context, length)
    gains = [_mean_and_error(b - a) for a, b in zip(kept, swapped, strict=True)]
    best = max(gains, key=lambda found: found[0] / (found[1] + 1e-9))
    own, other = (float(torch.cat(part).mean()) for part in (kept, swapped))
    measured = (
        f"The decoder's loss is {own:.3f} {context.unit} with the right memory and {other:.3f} "
        f"with another sequence's, over outputs 2..{length}; the clearest of them differs by "
        f"{best[0]:+.3f} (must be {LEAST} and {SURE:g} standard errors of {best[1]:.3f})."
    )
    return graded(
        _level(*best), measured,
        "the decoder predicts from the true inputs alone, so its loss teaches memories nothing",
        "raise --smt.decoding, take more --smt.anchors, or a longer --smt.future, so that outputs "
        "depend on what only the memory knows",
        {"own": own, "other": other, "gain": best[0]},
    )  # fmt: skip


def _future(context: CheckContext) -> int:
    """F as in training; raises `Skip` where the decoder was not trained on futures."""
    length = context.batch.mask.shape[1]
    config = context.history and context.history.config
    asked = (config.smt.future if config else None) or length
    if min(asked, length) < 2 or (config and config.smt.decoding == 0):
        raise Skip("the decoder decodes no future here (F = 1, T = 1 or --smt.decoding 0)")
    return min(asked, length)


def _decoded(context: CheckContext, length: int) -> tuple[list[Tensor], list[Tensor]]:
    """Losses of outputs 2..F, those that count, with right memories and with others."""
    decoder, steps = context.teacher.decoder, context.batch.mask.shape[1]
    # At the start, at the quarters: what is to be remembered may be anywhere.
    spread = sorted({1} | {max(1, part * steps // 4) for part in (1, 2, 3)})
    enough = max(8, _POSITIONS // (len(spread) * length))
    batch = Batch(*(part[:enough] for part in context.batch))
    times = torch.tensor(spread, device=batch.x.device).expand(len(batch.x), -1)
    targets = context.memories.targets[:enough, times[0]]
    future = futures(batch, times, length)
    with frozen(context.teacher):
        losses = [
            output_loss(context.student.signature.outputs, decoder(m, future.x), future.y)
            for m in (targets, _next(targets))
        ]
    counted = [j for j in range(1, length) if future.mask[..., j].sum() > 1]
    if not counted:
        raise Skip("no output counts in the decoded futures")
    kept, swapped = ([loss[..., j][future.mask[..., j]] for j in counted] for loss in losses)
    return kept, swapped


def _next(memories: Tensor) -> Tensor:
    """Every sequence gets the memories of the next one; raises `Skip` for a single sequence."""
    if len(memories) < 2:
        raise Skip("there is one held-out sequence, so no other memory")
    return memories.roll(1, 0)


def _mean_and_error(difference: Tensor) -> tuple[float, float]:
    difference = difference.double()
    return float(difference.mean()), float(difference.std() / len(difference) ** 0.5)


def _level(gain: float, error: float) -> Level:
    return Level.OK if gain >= max(LEAST, SURE * error) else Level.FAILED


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
        "another --cell, or a higher learning rate in the last stage",
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
    return graded(_collapse_level(variance, found), measured, cause, advice, figures)


def _collapse_level(variance: float, found: Collapse) -> Level:
    # Below MIN_VARIANCE the dynamics loss hardly depends on how memories differ.
    if not variance >= MIN_VARIANCE or found.similarity >= MAX_SIMILARITY:
        return Level.FAILED
    few = found.rank < MIN_RANK or variance < SMALL_VARIANCE
    return Level.WARNING if few else Level.OK
