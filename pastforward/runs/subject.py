"""L6. What the doctor and analyses look at: a student, its teacher, their data and history."""

from typing import NamedTuple

from pastforward.config import RunConfig
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.runs.networks import Networks
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.folder import RunFolder


class Subject(NamedTuple):
    """The run of a student, and its teacher if it has one."""

    folder: RunFolder
    config: RunConfig
    source: Source
    student: Student
    teacher: Teacher | None


def subject_of(
    folder: RunFolder, config: RunConfig, source: Source, networks: Networks, command: str
) -> Subject:
    """The run as one of a student; raises `UsageError` for a baseline.

    An output teacher, the Transformer of `distill`, has no target memories to look at.
    """
    network, teacher = networks
    if not isinstance(network, Student):
        raise UsageError(
            f"{folder.path} holds a baseline, and `{command}` looks at a student's memories; name "
            "a run with a cell."
        )
    taught = teacher if isinstance(teacher, Teacher) else None
    return Subject(folder, config, source, network, taught)
