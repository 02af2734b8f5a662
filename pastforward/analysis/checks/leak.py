"""L4. Are student, encoder and decoder causal? Later inputs are changed, earlier results compared.

What does not depend on an input is computed from the same numbers in the same order, so any change
beyond rounding is a leak.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pastforward.analysis.checks.context import CheckContext, CheckResult, Level, Skip, graded
from pastforward.analysis.evaluate import frozen
from pastforward.memory import flat
from pastforward.teacher.decoder import futures
from pastforward.types import Batch, Kind, Tokens

LARGEST = 1e-4
"""Relative to the outputs' size: a thousand rounding errors of float32, far below a real leak."""
_SEQUENCES, _CUTS = 8, 4


def student_leak(context: CheckContext) -> CheckResult:
    """Memories and outputs of the student up to t must not move when inputs after t change."""

    def outputs(x: Tensor) -> Tensor:
        own = context.student.rollout(x)[:, 1:]
        return torch.cat([flat(own), context.student.readout(own)], -1)

    return _result(
        _moved(context, outputs, offset=0), "the student's memories and outputs up to t",
        "embedding, cell or readout sees more than one step: a convolution or norm over time, "
        "attention without a causal mask, or inputs shifted the wrong way",
        "let embedding and cell treat every step by itself (time is a leading axis), and let the "
        "source give y_t = x_{t+1} with x_t",
    )  # fmt: skip


def target_leak(context: CheckContext) -> CheckResult:
    """Targets m_0..m_t must not move when inputs after t change."""
    return _result(
        _moved(context, context.teacher.targets, offset=1), "targets m_0..m_t",
        "the encoder lacks a causal mask, or takes a statistic over the whole sequence; such "
        "targets hold what no student can know",
        "use an encoder of the library (--encoder registers), or make your own causal: m_t "
        "may depend on x_1..x_t alone",
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

    return _result(
        _moved(context, outputs, offset=0), "decoded outputs y_1..y_t",
        "the decoder is not causal, or reads the slice of the sequence that it should predict: it "
        "then copies its outputs, and memories learn nothing",
        "give x_{t+1}..x_{t+j-1} for y_{t+j-1} (`teacher.decoder.futures`) to a causal Transformer",
    )  # fmt: skip


def changed(kind: Kind, x: Tensor, seed: int = 0) -> Tensor:
    """A different input at every step; raises `Skip` where only one symbol exists."""
    random = torch.Generator().manual_seed(seed)
    if isinstance(kind, Tokens):
        if kind.size < 2:
            raise Skip("there is only one input symbol, so none can be changed")
        shift = torch.randint(1, kind.size, x.shape, generator=random).to(x.device)
        return (x + shift) % kind.size
    return x + torch.randn(x.shape, generator=random).to(x)


def _moved(context: CheckContext, outputs: Callable[[Tensor], Tensor], offset: int) -> float:
    """Largest change of results before a change of inputs, relative to their root mean square.

    `outputs(x)` is `[B, T + offset, ...]`; its first t + offset may not depend on x after t.
    """
    x = context.batch.x[:_SEQUENCES]
    length = x.shape[1]
    if length < 2:
        raise Skip("sequences have one step, so there is no future")
    other = changed(context.student.signature.inputs, x)
    with frozen(*context.networks.values()):
        before, largest = outputs(x), 0.0
        scale = float(before.double().square().mean().sqrt()) + 1e-12
        for cut in sorted({1 + round(i * (length - 2) / (_CUTS - 1)) for i in range(_CUTS)}):
            after = outputs(torch.cat([x[:, :cut], other[:, cut:]], 1))
            difference = (after - before)[:, : cut + offset].abs().max()
            largest = max(largest, float(difference) / scale)
    return largest


def _result(moved: float, what: str, cause: str, advice: str) -> CheckResult:
    level = Level.OK if moved <= LARGEST else Level.FAILED
    measured = (
        f"Changing inputs after t moves {what} by {moved:.2g} of their size "
        f"(at most {LARGEST:g}, for rounding)."
    )
    return graded(level, measured, cause, advice, {"moved": moved})
