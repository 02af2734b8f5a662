"""L6. Run folders as the commands read them: by name or path, whole or part."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pastforward.cli.options import RUNS
from pastforward.config import RunConfig
from pastforward.data.source import Source
from pastforward.data.opening import open_data
from pastforward.report.summary import RunSummary
from pastforward.analysis.samples import draw_samples
from pastforward.files import checksum, write_json
from pastforward.teacher.store.facts import read_store
from pastforward.baselines import Network, build_network
from pastforward.student import Student
from pastforward.student_file import load_network
from pastforward.teacher.teacher import Teacher
from pastforward.training.folder import RunFolder
from pastforward.training.checkpoint import load_tensors, part
from pastforward.training.networks import Guide, build_guide
from pastforward.errors import UsageError, nearest


class OpenRun(NamedTuple):
    """A finished run with its networks and data."""

    folder: RunFolder
    config: RunConfig
    source: Source
    student: Network
    teacher: Guide | None


class StudentRun(NamedTuple):
    """The run of a student, and its teacher if it has one."""

    folder: RunFolder
    config: RunConfig
    source: Source
    student: Student
    teacher: Teacher | None


def all_runs() -> list[RunFolder]:
    """Every run below `RUNS`, those inside a comparison too."""
    return [RunFolder(path.parent) for path in sorted(RUNS.rglob("config.json"))]


def find_runs(name: str) -> list[RunFolder]:
    """The run of that name or path, or all runs of a comparison; raises `UsageError` if none."""
    for path in (RUNS / name, Path(name)):
        if (path / "config.json").exists():
            return [RunFolder(path)]
        inside = [found for found in path.rglob("config.json") if not _search(found, path)]
        if inside:
            # In the order in which they were trained.
            inside.sort(key=lambda config: (config.stat().st_mtime, config))
            return [RunFolder(config.parent) for config in inside]
    names = [str(run.path.relative_to(RUNS)) for run in all_runs()]
    way_out = nearest(name, names) if names else "train one first: pastforward train digits"
    raise UsageError(f"There is no run '{name}' here or below {RUNS}/; {way_out}.")


def find_run(name: str) -> RunFolder:
    """The one run of that name or path; raises `UsageError` for a comparison of several."""
    found = find_runs(name)
    if len(found) > 1:
        names = ", ".join(str(run.path).removeprefix(f"{RUNS}/") for run in found)
        raise UsageError(f"'{name}' holds several runs; choose one of {names}.")
    return found[0]


def _search(config: Path, comparison: Path) -> bool:
    """Was the run made to find rates?"""
    return "rates" in config.relative_to(comparison).parts


def find_student(name: str) -> Path:
    """The student's file of a run, or the file itself; raises `UsageError` if there is none."""
    if Path(name).is_file():
        return Path(name)
    folder = find_run(name)
    require_finished(folder)
    return folder.student


def open_run(folder: RunFolder) -> OpenRun:
    """Networks and data; raises `UsageError` for an unfinished or damaged run."""
    config, student = folder.read_config(), load_run_student(folder)
    source = open_data(config.data)
    if source.signature != student.signature:
        raise UsageError(
            f"The data '{config.data.source}' reads as {source.signature}, but {folder.path} was "
            f"trained on {student.signature}; put back the data that it was trained on."
        )
    return OpenRun(folder, config, source, student, _teacher(folder, config, student))


def with_student(run: OpenRun, command: str) -> StudentRun:
    """The run as one of a student; raises `UsageError` for a peer.

    A guide that makes no labels, the Transformer of `distill`, is no teacher.
    """
    if not isinstance(run.student, Student):
        raise UsageError(
            f"{run.folder.path} holds a peer ('{run.config.student.cell}'), and `{command}` looks "
            "at a student's memories; name a run with a cell."
        )
    teacher = run.teacher if isinstance(run.teacher, Teacher) else None
    return StudentRun(run.folder, run.config, run.source, run.student, teacher)


def open_any_run(folder: RunFolder) -> tuple[OpenRun, bool]:
    """Networks and data, of a stopped run as its last checkpoint has them; is it finished?

    The student is the best so far. Labels from a store bring the teacher that wrote them, where it
    still lies there. Raises `UsageError` where nothing was saved yet, or it is damaged.
    """
    if not folder.student.exists():
        return _open_stopped(folder), False
    run = open_run(folder)
    if run.teacher is None and run.config.label_store is not None:
        run = run._replace(teacher=_teacher_of_labels(run.config.label_store, run.student))
    return run, True


def load_run_student(folder: RunFolder) -> Network:
    """The student, or peer, alone; raises `UsageError` when the run is not finished."""
    require_finished(folder)
    return load_network(folder.student)[0]


def require_finished(folder: RunFolder) -> None:
    """Raise `UsageError` when there is no student yet."""
    if not folder.student.exists():
        raise UsageError(
            f"{folder.path} has no trained student yet; finish it with --resume, in the command "
            "that began it."
        )


def write_summary(folder: RunFolder, summary: RunSummary) -> None:
    """Save figures and facts; `load_summary` reads them."""
    content = {"evaluation": summary.evaluation, "facts": summary.facts}
    write_json(folder.evaluation, content)


def saved_facts(folder: RunFolder) -> dict[str, Any]:
    """The facts that training saved, or what the metrics tell where there are none."""
    try:
        return _read_json(folder.evaluation)["facts"]
    except UsageError:
        rows = folder.metrics.read()
        return {"seconds": rows[-1]["seconds"]} if rows else {}


def load_summary(folder: RunFolder, name: str | None = None) -> RunSummary:
    """What `write_summary` saved, the metrics, and samples drawn anew."""
    saved = _read_json(folder.evaluation)
    run = open_run(folder)
    few = next(iter(run.source.held_out("test", 10, 10)))
    return RunSummary(
        name=name or folder.path.name,
        evaluation=saved["evaluation"],
        metrics=folder.metrics.read(),
        facts=saved["facts"],
        samples=draw_samples(run.student, run.source.codec, few),
    )


def _open_stopped(folder: RunFolder) -> OpenRun:
    config = folder.read_config()
    if not folder.checkpoint.exists():
        require_finished(folder)
    tensors, _ = load_tensors(folder.checkpoint)
    source = open_data(config.data)
    student = build_network(config.student, source.signature)
    taught = part("teacher", tensors)
    teacher = build_guide(config, student) if taught else None
    try:
        student.load_state_dict(part("best", tensors) or part("student", tensors))
        if teacher is not None:
            teacher.load_state_dict(taught)
    except RuntimeError as error:
        raise UsageError(
            f"{folder.checkpoint} does not fit {folder.config} ({error}); one of them is of "
            "another run or other data, so put it back or train again."
        ) from error
    return OpenRun(folder, config, source, student.eval(), teacher and teacher.eval())


def _teacher_of_labels(labels: str, student: Network) -> Guide | None:
    """The teacher that wrote a store, if it still lies where it was and is the same."""
    with suppress(UsageError):
        facts, _ = read_store(Path(labels))
        folder = RunFolder(Path(facts.run))
        same = folder.teacher.exists() and checksum(folder.teacher) == facts.teacher
        return _teacher(folder, facts.config, student) if same else None
    return None


def _teacher(folder: RunFolder, config: RunConfig, student: Network) -> Guide | None:
    teacher = build_guide(config, student) if folder.teacher.exists() else None
    if teacher is None:
        return None
    tensors, _ = load_tensors(folder.teacher)
    try:
        teacher.load_state_dict(tensors)
    except RuntimeError as error:
        raise UsageError(
            f"{folder.teacher} does not fit {folder.config} ({error}); one of them is of another "
            "run, so put it back or train again."
        ) from error
    return teacher.eval()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
        return {"evaluation": content["evaluation"], "facts": content["facts"]}
    except FileNotFoundError as error:
        raise UsageError(
            f"{path.parent} was not evaluated; do it with: pastforward eval {path.parent}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} can't be read ({error}); make it anew with: pastforward eval {path.parent}"
        ) from error
