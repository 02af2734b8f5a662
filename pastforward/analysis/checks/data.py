"""L4. Is the data what it should be, and was the training over when it ended?"""

import torch
from torch import Tensor

from pastforward.analysis.checks.context import (
    CheckContext,
    CheckResult,
    History,
    Level,
    Skip,
    above,
    graded,
    ok,
)

GIVEN = 0.99
"""Share of outputs that are in the input already. Where inputs change, even slow series and images
with much background repeat a value far less often than that."""
SEEN_WARNING, SEEN_FAILED = 0.05, 0.5
"""Text repeats a line now and then; data that was not split repeats nearly everything."""
_TRAINING = 2048


def output_leak(context: CheckContext) -> CheckResult:
    """Is y_t simply x_t, or the input before?"""
    x, y, mask = context.sequences
    if x.dim() != y.dim():
        raise Skip("inputs and outputs are of different kinds")
    shares = {delay: _share_given(x, y, mask, delay) for delay in (0, 1)}
    worst = max(shares, key=lambda delay: shares[delay])
    where = "the input of the same step" if worst == 0 else "the input one step before"
    measured = (
        f"Where inputs change, {shares[worst]:.1%} of the outputs are {where} (below {GIVEN:.0%})."
    )
    # A task may ask for the input before; the input of the same step leaves nothing to predict.
    bad = Level.FAILED if worst == 0 else Level.WARNING
    return graded(
        bad if shares[worst] >= GIVEN else Level.OK, measured,
        "inputs and outputs are the same slice, or are shifted the wrong way: the network need "
        "not predict or remember anything",
        "for prediction let y_t = x_{t+1}: x = s[:, :-1], y = s[:, 1:]",
        {"same": shares[0], "delayed": shares[1]},
    )  # fmt: skip


def held_out(context: CheckContext) -> CheckResult:
    """Do held-out sequences occur in training?"""
    if context.source.describe().get("kind") == "task":
        raise Skip("a task draws new sequences as needed, and a short one has few different ones")
    trained = set(_rows(context.source.batch(0, 0, _TRAINING).x))
    rows = _rows(context.sequences.x)
    share = sum(row in trained for row in rows) / len(rows)
    measured = (
        f"{share:.1%} of {len(rows)} held-out sequences are among {_TRAINING} drawn for training "
        f"(warning from {SEEN_WARNING:.0%}, failed from {SEEN_FAILED:.0%})."
    )
    return graded(
        above(share, SEEN_WARNING, SEEN_FAILED), measured,
        "the same data was given to train and to test on, or it holds many duplicates; held-out "
        "losses then say nothing about new data",
        "split before windows are cut, and remove duplicates across splits", {"share": share},
    )  # fmt: skip


def finite_weights(context: CheckContext) -> CheckResult:
    """Are all weights finite numbers?"""
    broken = context.broken
    if not broken:
        return ok("All weights are finite numbers.", broken=0)
    named = ", ".join(broken[:3]) + (", ..." if len(broken) > 3 else "")
    return graded(
        Level.FAILED, f"{len(broken)} tensors hold infinite or undefined numbers: {named}.",
        "a file was damaged or weights were edited: training refuses a step whose loss or gradient "
        "is not finite",
        "train again with a lower learning rate (--stages.0.lr) or --fit.clip 0.5",
        {"broken": len(broken)},
    )  # fmt: skip


def _share_given(x: Tensor, y: Tensor, mask: Tensor, delay: int) -> float:
    """Share of outputs equal to the input `delay` steps before, where that input is a new value."""
    counted = mask.clone()
    counted[:, : delay + 1] = False
    counted[:, delay + 1 :] &= _differ(x[:, 1 : x.shape[1] - delay], x[:, : -1 - delay])
    given = torch.zeros_like(mask)
    given[:, delay:] = ~_differ(y[:, delay:], x[:, : x.shape[1] - delay])
    return float((given & counted).sum() / counted.sum().clamp(min=1))


def _differ(a: Tensor, b: Tensor) -> Tensor:
    """`[B, T]`: does any channel of a step differ?"""
    if a.dim() > 2 and a.shape[2:] != b.shape[2:]:
        return torch.ones(a.shape[:2], dtype=torch.bool)
    return (a != b).flatten(2).any(2) if a.dim() > 2 else a != b


def _rows(x: Tensor) -> list[bytes]:
    return [row.numpy().tobytes() for row in x.cpu()]


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
    falling = late >= FALLING
    return graded(
        Level.WARNING if max(late, rise) >= FALLING else Level.OK, measured,
        "the budget ended while the loss was still falling" if falling
        else "the student was better before the end, and that one is kept: it began to memorise "
        "its training sequences, or a stage undid what the one before had learned",
        "train longer: --seconds, --steps" if falling
        else "see the results of 'student generalises' and 'teacher generalises'; a lower learning "
        "rate in the last stage (--stages.N.lr)",
        {"late": late, "rise": rise},
    )  # fmt: skip


def _history(context: CheckContext) -> History:
    if context.history is None:
        raise Skip("the networks were given without the history of their run")
    return context.history
