"""L6. The doctor on a run, finished or stopped."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pastforward.analysis.checks.table import examine
from pastforward.analysis.checks.context import CheckContext, History
from pastforward.analysis.checks.result import CheckResult
from pastforward.errors import UsageError
from pastforward.report.checks_page import write_page
from pastforward.runs.networks import (
    Networks,
    load_checkpoint,
    require_student,
    teacher_of_store,
)
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher

if TYPE_CHECKING:
    from pastforward.runs.opening import Run

PAGE = "doctor.html"
"""Name of the page in the run's folder."""


def check_run(
    run: "Run", sequences: int = 256, told: Callable[[str], None] = lambda name: None
) -> list[CheckResult]:
    """All checks, on at most so many held-out sequences; `told(name)` is called before each.

    Writes doctor.html. A stopped run is checked as its last checkpoint has it; a student of stored
    targets beside the teacher that wrote them, where it still lies there. Raises `UsageError` for a
    baseline, and where nothing was saved yet.
    """
    if sequences < 2:
        raise UsageError(f"--sequences is {sequences}; give 2 or more, to compare them.")
    networks = _networks(run)
    student = require_student(networks.network, run.folder, "doctor")
    teacher = networks.teacher if isinstance(networks.teacher, Teacher) else None
    history = History(run.finished, run.folder.metrics.read(), run.config)
    context = CheckContext(student, teacher, run.source, history, sequences)
    results = examine(context, told)
    write_page(run.name, context, results, run.path / PAGE)
    return results


def _networks(run: "Run") -> Networks:
    if not run.finished:
        return load_checkpoint(run.folder, run.config, run.source)
    teacher, store = run.teacher, run.config.label_store
    if teacher is None and store is not None and isinstance(run.student, Student):
        teacher = teacher_of_store(store, run.student, run.allow)
    return Networks(run.student, teacher)
