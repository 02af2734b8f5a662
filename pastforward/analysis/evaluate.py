"""L4. Evaluation: the loss of the student alone, from its empty memory, on held-out data.

A teacher, when one is given, is measured on the same sequences, and its target memories give the
drift; the student never uses it. Baselines have no memory: only their losses are measured.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Protocol

import torch
from torch import nn

from pastforward.analysis.memory_meters import Collapse, CollapseMeter, Drift, DriftMeter
from pastforward.analysis.meters import Score, ScoreMeter
from pastforward.baselines.base import Baseline, Network
from pastforward.data.codec import Codec, LabelCodec
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.files import finite
from pastforward.losses import relevant
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.distributed import from_ranks
from pastforward.types import Batch, checked_batch
from pastforward.watching import watched

SEQUENCES, LABELLED_SEQUENCES = 512, 10_000
"""Held-out sequences that are measured where no other number is given."""


class Readers(Protocol):
    """Processes that share what is read."""

    @property
    def readers(self) -> int:
        """How many there are."""
        ...

    @property
    def reader(self) -> int:
        """Which one this is."""
        ...


class _OneReader:
    readers, reader = 1, 0


_ONE = _OneReader()


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
    """Reference losses by name, in nats per output (`Source.references`)."""
    drift: Drift | None
    collapse: dict[str, Collapse]
    """Spread of the memories of the 'student' and, with a teacher, of the 'targets'."""

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers; None for what is not finite."""
        return finite(asdict(self))


def evaluate(
    student: Network, teacher: Teacher | Baseline | None, source: Source, split: str = "test",
    limit: int | None = None, size: int = 64, shared: Readers = _ONE,
) -> Evaluation:  # fmt: skip
    """Measure on the first `limit` sequences of a held-out split, `size` at a time.

    Of several readers each measures its part of the batches, and all get the same figures. Without
    `limit`, on 512; of labelled data, whose sequences hold one output each, on 10,000. The source
    may be longer than what the student was trained on. Both networks are left in the mode in which
    they came. Raises `UsageError` when the split holds no output to predict, and for a source of
    other symbols or channels than the student knows.
    """
    _require_same_kinds(student, source)
    if limit is None:
        limit = LABELLED_SEQUENCES if isinstance(source.codec, LabelCodec) else SEQUENCES
    count = (source.describe().get("sequences") or {}).get(split) or limit
    batches = source.held_out(split, size, limit)
    shown = watched(batches, "evaluating", min(count, limit), lambda batch: len(batch.x))
    return measure(student, teacher, source, split, shown, shared)


def _require_same_kinds(student: Network, source: Source) -> None:
    mine, found = student.signature, source.signature
    if (mine.inputs, mine.outputs) != (found.inputs, found.outputs):
        raise UsageError(
            f"The data '{source.name}' in sequences of {found.length} reads {found.inputs} and "
            f"predicts {found.outputs}, but the student {mine.inputs} and {mine.outputs}; give "
            "data with the symbols or channels that it was trained on."
        )


def measure(
    student: Network, teacher: Teacher | Baseline | None, source: Source, split: str,
    batches: Iterable[Batch], shared: Readers = _ONE,
) -> Evaluation:  # fmt: skip
    """`evaluate` on given batches; `split` is their name in the result."""
    meters = _Meters(student, teacher, source)
    with frozen(student, teacher):
        for batch in islice(batches, shared.reader, None, shared.readers):
            meters.add(on_device(batch, student))
    if shared.readers > 1:
        meters.gather()
    if not meters.student.outputs.any():
        raise UsageError(f"The split '{split}' holds no output to predict; give another one.")
    return meters.read(split, dict(source.references()))


def quick_score(
    student: Network, batches: Iterable[Batch], codec: Codec | None = None,
    shared: Readers = _ONE,
) -> Score:  # fmt: skip
    """The student's own score from m_0, as the training loop watches it.

    Of several readers each takes its part of the batches, and all get the same score.
    """
    meter = ScoreMeter(student.signature.outputs, student.signature.length, codec)
    with frozen(student):
        for batch in islice(batches, shared.reader, None, shared.readers):
            x, y, mask = on_device(batch, student)
            meter.add(student(x)[0], y, mask)
    meter, *others = [meter] if shared.readers == 1 else from_ranks(meter)
    for other in others:
        meter.join(other)
    return meter.read()


class _Meters:
    """All meters of an evaluation, fed from one rollout and one pass of the teacher a batch."""

    def __init__(
        self, student: Network, teacher: Teacher | Baseline | None, source: Source
    ) -> None:  # fmt: skip
        what, length = (student.signature.outputs, source.signature.length), source.signature.length
        self.networks = student, teacher
        self.student, self.teacher = (ScoreMeter(*what, source.codec) for _ in range(2))
        self.collapse: dict[str, CollapseMeter] = {}
        self.drift: DriftMeter | None = None
        if isinstance(student, Student):
            self.collapse["student"] = CollapseMeter(student.memory.size)
            if not isinstance(teacher, Baseline | None):
                self.collapse["targets"] = CollapseMeter(student.memory.size)
                self.drift = DriftMeter(length, student.memory)

    def add(self, batch: Batch) -> None:
        (student, teacher), (x, y, mask) = self.networks, batch
        if isinstance(teacher, Baseline):
            self.teacher.add(teacher(x)[0], y, mask)
        if not isinstance(student, Student):
            self.student.add(student(x)[0], y, mask)
            return
        own, used = student.rollout(x), relevant(mask)
        self.student.add(student.readout(own[:, 1:]), y, mask)
        self.collapse["student"].add(own[:, 1:], used)
        if self.drift is not None and not isinstance(teacher, Baseline | None):
            targets = teacher.targets(x)
            self.teacher.add(teacher.readout(targets[:, 1:]), y, mask)
            self.collapse["targets"].add(targets[:, 1:], used)
            self.drift.add(own, targets, student.step(targets[:, :-1], x), used)

    def gather(self) -> None:
        """What all ranks have measured, on each of them."""
        own = self.student, self.teacher, self.collapse, self.drift
        (self.student, self.teacher, self.collapse, self.drift), *others = from_ranks(own)
        for student, teacher, collapse, drift in others:
            self.student.join(student)
            self.teacher.join(teacher)
            for whose, meter in collapse.items():
                self.collapse[whose].join(meter)
            if self.drift is not None and drift is not None:
                self.drift.join(drift)

    def read(self, split: str, references: dict[str, float]) -> Evaluation:
        return Evaluation(
            split, sum(map(len, self.student.sequences)), int(self.student.outputs.sum()),
            student=self.student.read(),
            teacher=None if self.networks[1] is None else self.teacher.read(),
            references=references, drift=self.drift and self.drift.read(),
            collapse={whose: meter.read() for whose, meter in self.collapse.items()},
        )  # fmt: skip


def on_device(batch: Batch, network: Network | Teacher) -> Batch:
    """The batch on the network's device; `UsageError` for values that it can't read."""
    like = next(network.parameters())
    kept = checked_batch(network.signature, Batch(*batch[:3]), like)
    return Batch(*(part.to(like.device) for part in kept))


@contextmanager
def frozen(*networks: nn.Module | None) -> Iterator[None]:
    """Inference mode and evaluation mode inside; then every module's mode is restored."""
    given = [network for network in networks if network is not None]
    modules = [module for network in given for module in network.modules()]
    modes = [module.training for module in modules]
    for network in given:
        network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
