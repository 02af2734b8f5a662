"""L3. DAgger Memory Training: the student runs on its own memories, the teacher says where to go.

Encoder and decoder are frozen. The student is regressed to the label of the next step from the
memory that it really has, so errors do not compound. Labels already carry long-range credit.
`UnrollDMT` is the paper's: the whole rollout, with its gradient. `WindowDMT` cuts the sequence into
windows of k steps that start from memories of the student's own rollout (or from labels), runs all
windows in parallel and keeps the gradient inside each: k serial steps with gradient, not T.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pastforward.encoder import take
from pastforward.memory import flat, variance
from pastforward.methods.base import Losses, Method
from pastforward.objectives import masked_mean, squared_error
from pastforward.outputs import kl, nll
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.teacher import Teacher
from pastforward.types import Batch


@dataclass(frozen=True)
class DMTConfig:
    """Weights of the losses and the length of a window."""

    window: int = 8
    """k: steps in a window; at T the whole rollout."""
    own: float = 1.0
    """Share of windows that start from the student's own memories; the rest start from labels."""
    dynamics: float = 1.0
    readout: float = 1.0
    """Weight of the outputs' loss."""
    distil: float = 0.0
    """Weight of KL from the teacher's prediction at the label to the student's."""


class UnrollDMT(Method):
    """The whole rollout from m_0 against all labels."""

    def __init__(self, student: Student, teacher: Teacher, config: DMTConfig) -> None:
        self.student, self.teacher, self.config = student, teacher, config
        self._step = student.cell.forward

    def parameters(self) -> Iterable[nn.Parameter]:
        """See `Method`."""
        return self.student.parameters()

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    def compile(self) -> None:
        """See `Method`."""
        self._step = torch.compile(self.student.cell.forward, dynamic=False)

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:  # noqa: ARG002
        """See `Method`."""
        with torch.no_grad():
            labels = self.teacher.labels(batch.x)
        e = self.student.embed(batch.x)
        own = rollout(self._step, self.student.start(e.shape[0]), e)
        return _losses(self.student, self.teacher, self.config, own, labels, batch)


class WindowDMT(Method):
    """All k-step windows of a sequence in parallel."""

    def __init__(self, student: Student, teacher: Teacher, config: DMTConfig) -> None:
        self.student, self.teacher, self.config = student, teacher, config
        self._step = student.cell.forward

    def parameters(self) -> Iterable[nn.Parameter]:
        """See `Method`."""
        return self.student.parameters()

    def serial_calls(self, length: int) -> int:
        """See `Method`; the gradient-free rollout that finds the starts included."""
        return length + min(self.config.window, length) if self.config.own else self.config.window

    def compile(self) -> None:
        """See `Method`."""
        self._step = torch.compile(self.student.cell.forward, dynamic=False)

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        student, length = self.student, batch.x.shape[1]
        with torch.no_grad():
            labels = self.teacher.labels(batch.x)
            starts = self._starts(batch, labels, generator)
        first = self._first_steps(length, generator).to(batch.x.device)
        within = torch.arange(min(self.config.window, length), device=first.device)
        steps = first[:, None] + within
        size = (batch.x.shape[0], *steps.shape)
        times = steps.expand(size).flatten(0, 1)

        def cut(sequence: Tensor) -> Tensor:
            return sequence[:, steps].flatten(0, 1)

        begin = starts[:, first]
        if first[0] == 0:
            begin = torch.cat([student.start(size[0], 1), begin[:, 1:]], 1)
        own = rollout(self._step, begin.flatten(0, 1), student.embed(cut(batch.x)))
        targets = torch.cat([labels[:, first].flatten(0, 1)[:, None], cut(labels[:, 1:])], 1)
        part = Batch(cut(batch.x), cut(batch.y), cut(batch.mask))
        del times
        return _losses(student, self.teacher, self.config, own, targets, part)

    def _starts(self, batch: Batch, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Memories `[B, T+1, K, D]` that windows may start from."""
        if not self.config.own:
            return labels
        e = self.student.embed(batch.x)
        own = rollout(self._step, self.student.start(e.shape[0]), e)
        if self.config.own == 1.0:
            return own
        chosen = torch.rand(labels.shape[:2], generator=generator, device=labels.device)
        return torch.where((chosen < self.config.own)[..., None, None], own, labels)

    def _first_steps(self, length: int, generator: torch.Generator) -> Tensor:
        """t of the memory that each window starts from: a random shift, then every k steps."""
        window = min(self.config.window, length)
        count = max(1, length // window - 1)
        shift = torch.randint(0, length - count * window + 1, (1,), generator=generator)
        return shift.cpu() + window * torch.arange(count)


def _losses(
    student: Student, teacher: Teacher, config: DMTConfig, own: Tensor, labels: Tensor, batch: Batch
) -> Losses:
    kind = student.signature.outputs
    dynamics = squared_error(own, labels).mean() / (variance(labels) + 1e-4)
    read = student.readout(own[:, 1:])
    readout = masked_mean(nll(kind, read, batch.y), batch.mask)
    total = config.dynamics * dynamics + config.readout * readout
    terms = {"dynamics": dynamics, "readout": readout}
    if config.distil:
        with torch.no_grad():
            target = teacher.decoder.readout(labels[:, 1:])
        terms["distil"] = masked_mean(kl(kind, target, read), batch.mask)
        total = total + config.distil * terms["distil"]
    return Losses(total, {k: v.detach() for k, v in terms.items()})
