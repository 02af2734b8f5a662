"""Joint training with the losses of a setting."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from typing_extensions import override

from benchmarks.studies.collapse.losses import SPREADS
from benchmarks.studies.collapse.settings import Setting
from pastforward.losses import masked_mean, squared_error, variance_unexplained
from pastforward.memory import take
from pastforward.methods import SMTConfig
from pastforward.methods.base import Losses, Method, Transform
from pastforward.methods.transitions import anchor_futures, sample_anchors
from pastforward.outputs import output_loss
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import AnyBatch

ERRORS = {"squared": squared_error, "unexplained": variance_unexplained}


class Ablation(Method):
    """SMT whose readout is fitted to memories but moves neither cell nor encoder."""

    def __init__(self, student: Student, teacher: Teacher, setting: Setting) -> None:
        self.student, self.teacher, self.setting = student, teacher, setting
        self.config = SMTConfig()
        self.slow = copy.deepcopy(teacher.encoder).requires_grad_(False)

    @override
    def modules(self) -> Iterable[nn.Module]:
        return self.teacher, self.student

    @override
    def serial_calls(self, length: int) -> int:
        return 1

    @override
    def compile(self, transform: Transform) -> None:
        """Nothing is compiled."""

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        setting, student, teacher = self.setting, self.student, self.teacher
        kind = teacher.signature.outputs
        sampled = sample_anchors(self.config, batch, student.memory, generator)
        targets = teacher.targets(batch.x)
        stepped = student.step(targets[:, :-1], batch.x)
        reached = torch.cat([student.start(len(targets), 1), stepped], 1)
        future = anchor_futures(self.config, batch, sampled)
        decoded = teacher.decoder(take(targets[:, 1:], sampled.anchors), future.x)
        read = student.readout(stepped.detach())
        spread = targets[:, 1:][:, sampled.anchors[0]].transpose(0, 1)
        error = ERRORS[setting.error](reached, self._wanted(batch, targets))
        terms = {
            "decoding": masked_mean(output_loss(kind, decoded, future.y), future.mask),
            "dynamics": error.mean(),
            "spread": SPREADS[setting.spread](spread, generator),
            "readout": masked_mean(output_loss(kind, read, batch.y), batch.mask),
        }
        weights = {"dynamics": setting.dynamics, "spread": setting.weight}
        total = torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
        return Losses(total, {name: term.detach() for name, term in terms.items()})

    def _wanted(self, batch: AnyBatch, targets: Tensor) -> Tensor:
        """What the cell is to reach: targets, or those of a moving average of encoders."""
        if not self.setting.slow:
            return targets
        with torch.no_grad():
            for slow, new in zip(
                self.slow.parameters(), self.teacher.encoder.parameters(), strict=True
            ):
                slow.lerp_(new, 1.0 - self.setting.slow)
            return self.slow.targets(batch.x)
