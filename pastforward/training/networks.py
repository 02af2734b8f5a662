"""L4. The networks of a run, as its config says: the student, and who labels for it."""

import torch

from pastforward.config import RunConfig
from pastforward.data import Source
from pastforward.labels import LabelStore
from pastforward.methods import METHODS
from pastforward.oracle import StoredLabels
from pastforward.student import Student, build_student
from pastforward.teacher import Teacher, build_teacher

METHOD_HAS_TEACHER = {name: name not in ("bptt", "tbptt") for name in METHODS}


def build_networks(
    config: RunConfig, source: Source, store: LabelStore | None = None
) -> tuple[Student, Teacher | StoredLabels]:
    """Student and teacher with weights drawn from the run's seed alone.

    With a store, its labels take the teacher's place; raises `UsageError` if it is damaged.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        student = build_student(config.student, source.signature)
        if store is not None:
            return student, StoredLabels(store.readout())
        return student, build_teacher(config.teacher, source.signature, student.memory)
