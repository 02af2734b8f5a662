"""L4. Does the future move the past? Later inputs are changed, and what came before compared.

What may not depend on an input is computed from the same numbers in the same order, so the least
change is a leak. All three networks are asked: student, encoder, decoder.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pastforward.analysis.checks.context import CheckContext, alone
from pastforward.analysis.checks.result import CheckResult, Level, Skip, graded
from pastforward.analysis.evaluate import frozen
from pastforward.memory import flat
from pastforward.teacher.decoder import futures
from pastforward.types import Batch, Kind, Tokens

LARGEST = 1e-4
"""Of the outputs' own size: a thousand roundings of float32, far below what any weight makes."""
_SEQUENCES, _CUTS = 8, 4


def student_leak(context: CheckContext) -> CheckResult:
    """Memories and outputs of the student up to t must not move when inputs after t change."""

    def outputs(x: Tensor) -> Tensor:
        own = alone(context.student, x)[:, 1:]
        return torch.cat([flat(own), context.student.readout(own)], -1)

    moved = _moved(context, outputs, offset=0)
    return _finding(
        moved, "the student's memories and outputs up to t",
        "embedding, cell or readout sees more than one step: a convolution or norm over time, "
        "attention without a causal mask, or inputs shifted the wrong way",
        "let embed and cell treat every step by itself (time is only a leading axis), and let the "
        "source give y_t = x_{t+1} at the place of x_t",
    )  # fmt: skip


def target_leak_(context: CheckContext) -> CheckResult:
    """Labels m_0..m_t must not move when inputs after t change."""
    moved = _moved(context, context.teacher.targets, offset=1)
    return _finding(
        moved, "labels m_0..m_t",
        "the encoder lacks a causal mask, or takes a statistic over the whole sequence; such "
        "labels hold what no student can know",
        "use --teacher.encoder registers, state or window; an encoder of your own must pass: "
        "change x after t, and m_t stays",
    )  # fmt: skip


def decoder_leak(context: CheckContext) -> CheckResult:
    """Decoded outputs y_t must not move when inputs after t change, memories being the same."""
    teacher, batch = context.teacher, Batch(*(part[:_SEQUENCES] for part in context.batch))
    length = batch.mask.shape[1]
    times = torch.ones(len(batch.x), 1, dtype=torch.long, device=batch.x.device)
    with frozen(teacher):
        target = teacher.targets(batch.x)[:, 1:2]

    def outputs(x: Tensor) -> Tensor:
        return teacher.decoder(target, futures(batch._replace(x=x), times, length).x)[:, 0]

    moved = _moved(context, outputs, offset=0)
    return _finding(
        moved, "decoded outputs y_1..y_t",
        "the decoder is not causal, or is fed the slice of the sequence that it should predict: it "
        "then copies its targets, and the memory learns nothing",
        "feed x_{t+1}..x_{t+j-1} for y_{t+j-1} (`pastforward.decoder.futures`), by a causal tower",
    )  # fmt: skip


def changed(kind: Kind, x: Tensor, seed: int = 0) -> Tensor:
    """Another input at every step; raises `Skip` where only one symbol exists."""
    random = torch.Generator().manual_seed(seed)
    if isinstance(kind, Tokens):
        if kind.size < 2:
            raise Skip("there is only one input symbol, so none can be changed")
        shift = torch.randint(1, kind.size, x.shape, generator=random).to(x.device)
        return (x + shift) % kind.size
    return x + torch.randn(x.shape, generator=random).to(x)


def _moved(context: CheckContext, outputs: Callable[[Tensor], Tensor], offset: int) -> float:
    """Largest change before a change of inputs, relative to the outputs' root mean square.

    `outputs(x)` is `[B, T + offset, ...]`; of it, the first t + offset must not see x after t.
    """
    x = context.batch.x[:_SEQUENCES]
    length = x.shape[1]
    if length < 2:
        raise Skip("a sequence has one step, so there is no future")
    other = changed(context.student.signature.inputs, x)
    with frozen(*context.networks.values()):
        before, largest = outputs(x), 0.0
        scale = float(before.double().square().mean().sqrt()) + 1e-12
        for cut in sorted({1 + round(i * (length - 2) / (_CUTS - 1)) for i in range(_CUTS)}):
            after = outputs(torch.cat([x[:, :cut], other[:, cut:]], 1))
            difference = (after - before)[:, : cut + offset].abs().max()
            largest = max(largest, float(difference) / scale)
    return largest


def _finding(moved: float, what: str, cause: str, advice: str) -> CheckResult:
    level = Level.OK if moved <= LARGEST else Level.FAILED
    measured = (
        f"Changing inputs after t moves {what} by {moved:.2g} of their size "
        f"(at most {LARGEST:g}, for rounding)."
    )
    return graded(level, measured, cause, advice, {"moved": moved})
