"""L3. DAgger Memory Training: the student runs on its own memories, the teacher says where to go.

Encoder and decoder are frozen. The student is regressed to the label of the next step from the
memory that it really has, so errors do not compound. Labels already carry long-range credit.
`UnrollDMT` is the paper's: the whole rollout, with its gradient. `WindowDMT` cuts the sequence into
windows of k steps that start from memories of the student's own rollout (or from labels), runs all
windows in parallel and keeps the gradient inside each: k serial steps with gradient, not T.
"""

from typing import final

import torch
from torch import Tensor

from pastforward.config import DMTConfig
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.objectives import masked_mean, unexplained
from pastforward.outputs import kl, nll
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.teacher import Teacher
from pastforward.types import Batch


@final
class UnrollDMT(RolloutMethod):
    """The whole rollout from m_0 against all labels."""

    def __init__(self, student: Student, teacher: Teacher, config: DMTConfig) -> None:
        super().__init__(student)
        self.teacher, self.config = teacher, config

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        with torch.no_grad():
            labels = self.teacher.labels(batch.x)
        student = self.student
        own = rollout(self._step, student.start(len(labels)), student.embed(batch.x))
        return _losses(student, self.teacher, self.config, own, labels, batch)


@final
class WindowDMT(RolloutMethod):
    """All k-step windows of a sequence in parallel."""

    def __init__(self, student: Student, teacher: Teacher, config: DMTConfig) -> None:
        super().__init__(student)
        self.teacher, self.config = teacher, config

    def serial_calls(self, length: int) -> int:
        """See `Method`; the gradient-free rollout that finds the starts is included."""
        window = min(self.config.window, length)
        return window + (length if self.config.own else 0)

    def losses(self, batch: Batch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        student, size = self.student, batch.x.shape[0]
        with torch.no_grad():
            labels = self.teacher.labels(batch.x)
            starts = self._starts(batch, labels, generator)
        steps = self._steps(batch.mask.shape[1], generator).to(batch.x.device)
        windows = Batch(*(part[:, steps].flatten(0, 1) for part in batch))
        begin = self._begin(starts, steps[:, 0]).flatten(0, 1)
        own = rollout(self._step, begin, student.embed(windows.x))[:, 1:]
        own = own.unflatten(0, (size, -1)).flatten(1, 2)
        own = torch.cat([student.start(size, 1), own], 1)
        steps = steps.flatten()
        target = torch.cat([labels[:, :1], labels[:, steps + 1]], 1)
        seen = Batch(*(part[:, steps] for part in batch))
        return _losses(student, self.teacher, self.config, own, target, seen)

    def _starts(self, batch: Batch, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Memories `[B, T+1, K, D]` that windows may start from."""
        if not self.config.own:
            return labels
        e = self.student.embed(batch.x)
        own = rollout(self._step, self.student.start(len(e)), e)
        chosen = torch.rand(labels.shape[:2], generator=generator, device=labels.device)
        return torch.where((chosen < self.config.own)[..., None, None], own, labels)

    def _steps(self, length: int, generator: torch.Generator) -> Tensor:
        """Positions of the inputs of each window `[W, k]`: a random shift, then every k steps."""
        window = min(self.config.window, length)
        shift = torch.randint(0, window, (1,), generator=generator, device=generator.device)
        first = shift + window * torch.arange(length // window, device=generator.device)
        return first.clamp(max=length - window)[:, None] + torch.arange(
            window, device=generator.device
        )

    def _begin(self, starts: Tensor, first: Tensor) -> Tensor:
        """Starting memories `[B, W, K, D]`; at t = 0 it is m_0 itself, which then learns."""
        own = self.config.own > 0
        empty = self.student.start(len(starts), len(first))
        at_zero = (first == 0)[:, None, None]
        return torch.where(at_zero, empty, starts[:, first]) if own else starts[:, first]


def _losses(
    student: Student, teacher: Teacher, config: DMTConfig, own: Tensor, labels: Tensor, batch: Batch
) -> Losses:
    """`own` and `labels` hold m_0 first, then one memory for each position of `batch`."""
    kind, read = student.signature.outputs, student.readout(own[:, 1:])
    dynamics = unexplained(own, labels).mean()
    readout = masked_mean(nll(kind, read, batch.y), batch.mask)
    total = config.dynamics * dynamics + config.readout * readout
    terms = {"dynamics": dynamics.detach(), "readout": readout.detach()}
    if config.distil:
        with torch.no_grad():
            target = teacher.decoder.readout(labels[:, 1:])
        distil = masked_mean(kl(kind, target, read), batch.mask)
        total, terms["distil"] = total + config.distil * distil, distil.detach()
    return Losses(total, terms)
