"""L4. The one metric: the student alone, from its empty memory, on held-out data.

The teacher, when one is given, is measured on the same sequences and labels the drift; the student
never sees it. Peers and Transformers have no memory to look at: their losses are all there is.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from pastforward.analysis.collapse import Collapse, CollapseMeter
from pastforward.analysis.drift import Drift, DriftMeter
from pastforward.analysis.score import Score, Tally
from pastforward.baselines import Network
from pastforward.baselines.base import Baseline
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch, MemoryShape


@dataclass(frozen=True)
class Evaluation:
    """Held-out figures of a student and, where a teacher was given, of both together."""

    split: str
    sequences: int
    outputs: int
    """Outputs counted: where the mask is True."""
    student: Score
    teacher: Score | None
    references: dict[str, float]
    """Nats per output by name: of trivial models and, where it is known, of the best one."""
    drift: Drift | None
    collapse: dict[str, Collapse]
    """By whose memories: 'student' and, with a teacher, 'labels'."""

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers; None for what is not finite."""
        return finite(asdict(self))


def evaluate(
    student: Network,
    teacher: Teacher | Baseline | None,
    source: Source,
    split: str = "test",
    limit: int = 512,
    size: int = 64,
) -> Evaluation:
    """Measure on the first `limit` sequences of a held-out split, `size` at a time.

    The source may be longer than what the student was trained on. Both networks are left in the
    mode in which they came. Raises `UsageError` when the split holds no output to predict.
    """
    meters = _Meters(student, teacher, source.signature.length)
    with frozen(student, teacher):
        for batch in source.held_out(split, size, limit):
            meters.add(Batch(*(part.to(_device(student)) for part in batch)))
    if not meters.student.outputs.any():
        raise UsageError(f"The split '{split}' holds no output to predict; give another one.")
    return meters.read(split, dict(source.references()))


def quick_loss(student: Network, batches: Iterable[Batch]) -> float:
    """The student's own nats per output from m_0: what the training loop watches."""
    tally = Tally(student.signature.outputs, student.signature.length)
    with frozen(student, None):
        for batch in batches:
            x, y, mask = (part.to(_device(student)) for part in batch)
            tally.add(student.predict(x), y, mask)
    return tally.read().nats


class _Meters:
    """All meters of an evaluation, fed from one rollout and one labelling of each batch."""

    def __init__(self, student: Network, teacher: Teacher | Baseline | None, length: int) -> None:
        outputs = student.signature.outputs
        memory = student.memory if isinstance(student, Student) else MemoryShape(1, 1)
        self.networks = student, teacher
        self.student, self.teacher = Tally(outputs, length), Tally(outputs, length)
        self.drift = DriftMeter(length, memory)
        self.own, self.targets = CollapseMeter(memory.size), CollapseMeter(memory.size)

    def add(self, batch: Batch) -> None:
        student, teacher = self.networks
        if isinstance(teacher, Baseline):
            self.teacher.add(teacher.predict(batch.x), batch.y, batch.mask)
            teacher = None
        if not isinstance(student, Student):
            self.student.add(student.predict(batch.x), batch.y, batch.mask)
            return
        own = rollout(student.cell, student.start(len(batch.x)), student.embed(batch.x))
        self.student.add(student.readout(own[:, 1:]), batch.y, batch.mask)
        self.own.add(own[:, 1:])
        if teacher is not None:
            targets = teacher.targets(batch.x)
            self.teacher.add(teacher.decoder.readout(targets[:, 1:]), batch.y, batch.mask)
            self.targets.add(targets[:, 1:])
            self.drift.add(own, targets, student.step(targets[:, :-1], batch.x))

    def read(self, split: str, references: dict[str, float]) -> Evaluation:
        labelled = not isinstance(self.networks[1], Baseline | None)
        collapse = {}
        if isinstance(self.networks[0], Student):
            collapse["student"] = self.own.read()
        if labelled:
            collapse["labels"] = self.targets.read()
        return Evaluation(
            split=split,
            sequences=sum(map(len, self.student.sequences)),
            outputs=int(self.student.outputs.sum()),
            student=self.student.read(),
            teacher=self.teacher.read() if self.networks[1] is not None else None,
            references=references,
            drift=self.drift.read() if labelled else None,
            collapse=collapse,
        )


def finite(value: Any) -> Any:
    """The same for JSON: None in place of every number that is not finite."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


@contextmanager
def frozen(*networks: nn.Module | None) -> Iterator[None]:
    """No gradients and evaluation mode inside; every module's mode is put back."""
    modules = [m for network in networks if network is not None for m in network.modules()]
    modes = [module.training for module in modules]
    for network in networks:
        if network is not None:
            network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
