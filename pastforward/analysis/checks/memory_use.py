"""L4. Is the memory used? It is set to zero, or exchanged for that of another sequence.

Another sequence's memory at the same step is a plausible one: it knows t, and nothing of this
sequence. Losses are compared output by output.
"""

import torch
from torch import Tensor

from pastforward.analysis.checks.context import CheckContext
from pastforward.analysis.checks.result import CheckResult, Level, Skip, graded
from pastforward.analysis.evaluate import frozen
from pastforward.outputs import nll
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
        f"The student's loss is {float(kept.mean()):.3f} nats with its own memory, "
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
    best = max(
        (_mean_and_error(b - a) for a, b in zip(kept, swapped, strict=True)), key=_standard_errors
    )
    own, other = (float(torch.cat(part).mean()) for part in (kept, swapped))
    measured = (
        f"The decoder's loss is {own:.3f} nats with the right memory and {other:.3f} with another "
        f"sequence's, over outputs 2..{length}; the clearest of them differs by {best[0]:+.3f} "
        f"(must be {LEAST} and {SURE:g} standard errors of {best[1]:.3f})."
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
            nll(context.student.signature.outputs, decoder(m, future.x), future.y)
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


def _standard_errors(found: tuple[float, float]) -> float:
    return found[0] / (found[1] + 1e-9)


def _level(gain: float, error: float) -> Level:
    return Level.OK if gain >= max(LEAST, SURE * error) else Level.FAILED
