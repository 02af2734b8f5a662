"""L3. What was exported beside PyTorch: differences, held-out losses, microseconds a step.

Both run freely from the empty memory on the same inputs, so in a network that is chaotic rounding
errors grow to anything: the steps compared are those over which PyTorch itself stays where it was
when every memory is changed by a few rounding errors.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pastforward.errors import UsageError
from pastforward.inference.export import Replay
from pastforward.outputs import output_loss
from pastforward.student import Student
from pastforward.types import Batch, Tokens

STEPS = 1_000
TOLERANCE = 1e-4
"""Largest difference of an output parameter that is accepted, relative where that exceeds 1."""
_SEQUENCES = 2
_NUDGED, _NUDGE = 4, 3e-7
"""Runs with changed memories, and by how much of a number: about five rounding errors."""
_TIMED_SECONDS = 0.3


@dataclass(frozen=True)
class Agreement:
    """One way to run what was written, beside PyTorch."""

    name: str
    difference: float
    """Largest of an output parameter, relative where it exceeds 1."""
    worst_step: int
    """Where that was, from 1."""
    steps: int
    """Compared: `STEPS`, or fewer where rounding errors grow."""
    microseconds: float
    """A step, one sequence."""


@dataclass(frozen=True)
class RoundedLoss:
    """Held-out loss of rounded weights beside that of the student."""

    name: str
    student: float | None
    """None without data to measure on."""
    rounded: float | None
    microseconds: float
    """A step, one sequence."""

    def __str__(self) -> str:
        if self.student is None or self.rounded is None:
            return "held-out loss not measured: a file has no data, name its run"
        change = self.rounded - self.student
        return f"held-out loss {self.rounded:.5f}, {change:+.5f} from {self.student:.5f}"


def agreement(student: Student, name: str, replay: Replay, steps: int = STEPS) -> Agreement:
    """Run both on random inputs; raises `UsageError` where they differ by more than `TOLERANCE`."""
    x = probe(student, _SEQUENCES, steps)
    expected, sure = _expected(student, x)
    found = replay(x.numpy())
    same = found.shape[1] == 1  # of the last output alone
    expected = expected[:, -1:] if same else expected[:, :sure]
    worst = _differences(found if same else found[:, :sure], expected.numpy())
    at = int(worst.argmax())
    where = steps if same else at + 1
    if not worst[at] <= TOLERANCE:  # NaN is refused, too
        raise UsageError(
            f"What was written for '{name}' differs from PyTorch by {worst[at]:.1e} at step "
            f"{where}, more than {TOLERANCE:g}, and was not kept; report it with the versions that "
            "pip list shows, or export to another format."
        )
    compared = steps if same else sure
    return Agreement(name, float(worst[at]), where, compared, microseconds(student, replay))


def rounded_loss(
    student: Student, name: str, replay: Replay, batches: Iterable[Batch]
) -> RoundedLoss:
    """The loss per held-out output of both; None where there are no batches."""
    kind, sums, count = student.signature.outputs, [0.0, 0.0], 0
    for x, y, mask in batches:
        with torch.inference_mode():
            pairs = student(x)[0], torch.from_numpy(replay(x.numpy()))
        for n, parameters in enumerate(pairs):
            seen = output_loss(kind, parameters, y)
            sums[n] += float(seen[mask].double().sum())
        count += int(mask.sum())
    own, rounded = (total / count if count else None for total in sums)
    return RoundedLoss(name, own, rounded, microseconds(student, replay))


def microseconds(student: Student, replay: Replay, steps: int = STEPS) -> float:
    """A step of one sequence: of the fastest of a few calls."""
    x, best, until = probe(student, 1, steps).numpy(), float("inf"), 0.0
    until = time.perf_counter() + _TIMED_SECONDS
    while True:
        began = time.perf_counter()
        replay(x)
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() > until:
            return best / steps * 1e6


def eager(student: Student) -> Replay:
    """PyTorch, step by step, as a replay."""

    def run(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            m, found = student.start(len(x)), []
            for x_t in torch.from_numpy(x).unbind(1):
                m = student.step(m, x_t)
                found.append(student.readout(m))
            return torch.stack(found, 1).numpy()

    return run


def probe(student: Student, count: int, steps: int) -> Tensor:
    """Random inputs, the same in every call."""
    kind, generator = student.signature.inputs, torch.Generator().manual_seed(0)
    if isinstance(kind, Tokens):
        return torch.randint(kind.size, (count, steps), generator=generator)
    return torch.randn(count, steps, kind.width, generator=generator)


def _expected(student: Student, x: Tensor) -> tuple[Tensor, int]:
    """Output parameters, and the number of steps over which rounding errors stay small."""
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        found, rows = student(x)[0], x.repeat_interleave(_NUDGED, 0)
        m, expected = student.start(len(rows)), found.repeat_interleave(_NUDGED, 0)
        for t, x_t in enumerate(rows.unbind(1)):
            m = student.step(m, x_t)
            m = m + _NUDGE * m * torch.randn(m.shape, generator=generator)
            nudged, plain = student.readout(m).unsqueeze(1), expected[:, t : t + 1]
            if not _differences(nudged.numpy(), plain.numpy())[0] <= TOLERANCE / 10:
                return found, max(1, t // 2)  # half of the way errors are far smaller yet
    return found, x.shape[1]


def _differences(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The largest of each step `[T]`."""
    scale = np.maximum(np.abs(expected), 1.0)
    return (np.abs(found - expected) / scale).max((0, 2))
