"""L6. Networks of a run folder: the teacher that was kept, or all that a checkpoint holds."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from pastforward.baselines.base import Network
from pastforward.config import RunConfig
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.files import checksum, expanded
from pastforward.runs.foreign import require_allowed
from pastforward.student import Student
from pastforward.teacher.label_store import read_store
from pastforward.teacher.teacher import Teacher
from pastforward.training.checkpoints import has_checkpoint, read_checkpoint
from pastforward.training.folder import RunFolder, load_tensors, part
from pastforward.training.networks import AnyTeacher, build_network, build_run_teacher


class Networks(NamedTuple):
    """What a run trains."""

    network: Network
    teacher: AnyTeacher | None


class Subject(NamedTuple):
    """The run of a student, and its teacher if it has one."""

    folder: RunFolder
    config: RunConfig
    source: Source
    student: Student
    teacher: Teacher | None


def require_finished(folder: RunFolder) -> None:
    """Raise `UsageError` when there is no trained network yet."""
    if not folder.student.exists():
        raise UsageError(
            f"{folder.path} has no trained student yet; finish it with --resume, in the command "
            "that began it."
        )


def load_teacher(folder: RunFolder, config: RunConfig, network: Network) -> AnyTeacher | None:
    """The teacher that a run kept, in evaluation mode; None where it has none.

    Raises `UsageError` for a file that is damaged or of another run.
    """
    teacher = build_run_teacher(config, network) if folder.teacher.exists() else None
    if teacher is None:
        return None
    tensors, _ = load_tensors(folder.teacher)
    _load(teacher, tensors, folder, folder.teacher)
    return teacher.eval()


def load_checkpoint(folder: RunFolder, config: RunConfig, source: Source) -> Networks:
    """Networks of a stopped run: the best student so far, and the last teacher.

    Raises `UsageError` where nothing was saved yet, or it is damaged.
    """
    if not has_checkpoint(folder):
        require_finished(folder)
    tensors, _ = read_checkpoint(folder)
    network, taught = build_network(config, source.signature), part("teacher", tensors)
    teacher = build_run_teacher(config, network) if taught else None
    _load(network, part("best", tensors) or part("network", tensors), folder, folder.checkpoint)
    if teacher is not None:
        _load(teacher, taught, folder, folder.checkpoint)
    return Networks(network.eval(), teacher and teacher.eval())


def teacher_of_store(store: str, network: Network, allow: Collection[str]) -> AnyTeacher | None:
    """The teacher that wrote a label store, if it still lies where it was and is the same."""
    with suppress(UsageError):
        facts, _ = read_store(expanded(store))
        require_allowed(facts.config, allow, store)
        folder = RunFolder(Path(facts.run))
        same = folder.teacher.exists() and checksum(folder.teacher) == facts.teacher
        return load_teacher(folder, facts.config, network) if same else None
    return None


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


def _load(
    network: Network | AnyTeacher, tensors: dict[str, Tensor], folder: RunFolder, path: Path
) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise UsageError(
            f"{path} does not fit {folder.config} ({error}); one of them is of another run or "
            "other data, so put it back or train again."
        ) from error
