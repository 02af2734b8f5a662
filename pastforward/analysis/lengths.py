"""L4. Losses beyond the trained length, on longer sequences of the same data.

A student has no length: its step is the same at every t. A teacher on more steps than it was
trained on depends on its encoder: causal Transformers use rotary positions, defined but untrained
beyond the trained length; 'window' reads its last Tc inputs only.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pastforward.analysis.evaluate import evaluate
from pastforward.analysis.score import Score
from pastforward.data.configs import DataConfig
from pastforward.data.kinds import known_names
from pastforward.data.opening import open_data
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher

_POSITIONS = 8192
"""Positions in a batch at most, as far as one sequence allows."""


@dataclass(frozen=True)
class AtLength:
    """Losses on sequences of one length."""

    length: int
    sequences: int
    student: Score
    teacher: Score | None
    reference: float | None
    """Nats per output of the unigram model at this length, where the source knows it."""


def loss_by_length(
    student: Student,
    teacher: Teacher | None,
    open_at: Callable[[int], Source],
    lengths: Iterable[int],
    split: str = "test",
    limit: int = 256,
) -> Iterator[AtLength]:
    """Measure at each length in turn, on `limit` sequences; `open_at(length)` gives the data.

    Raises `UsageError` where the data has no such length, or other symbols there.
    """
    for length in lengths:
        source = open_at(length)
        _require_same_kinds(student, source)
        size = max(1, min(64, _POSITIONS // length))
        found = evaluate(student, teacher, source, split, limit, size)
        reference = found.references.get("unigram")
        yield AtLength(length, found.sequences, found.student, found.teacher, reference)


def at_length(data: DataConfig, length: int) -> Source:
    """The data of a run in sequences of another length; `UsageError` where it has none."""
    head, comma, axes = data.source.partition(",")
    name, _, suffix = head.partition(":")
    named_length = name in known_names() and suffix.isdecimal()
    source = name + comma + axes if named_length else data.source
    return open_data(replace(data, source=source, length=length))


def _require_same_kinds(student: Student, source: Source) -> None:
    mine, found = student.signature, source.signature
    if (mine.inputs, mine.outputs) != (found.inputs, found.outputs):
        raise UsageError(
            f"At length {found.length} the data '{source.name}' has the signature {found}, but the "
            f"student was trained on {mine}; give data with the same symbols at every length."
        )
