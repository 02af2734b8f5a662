"""L6. The doctor on a run, finished or stopped."""

from collections.abc import Callable

from pastforward.analysis.checks.context import CheckContext, CheckResult, History
from pastforward.analysis.checks.table import examine
from pastforward.errors import UsageError
from pastforward.report.checks_page import write_page
from pastforward.runs.subject import Subject

PAGE = "doctor.html"
"""Name of the page in the run's folder."""


def check_run(subject: Subject, sequences: int, told: Callable[[str], None]) -> list[CheckResult]:
    """All checks, on at most so many held-out sequences; `told(name)` is called before each.

    Writes the page. Raises `UsageError` for fewer than two sequences.
    """
    if sequences < 2:
        raise UsageError(f"--sequences is {sequences}; give 2 or more, to compare them.")
    folder = subject.folder
    history = History(folder.student.exists(), folder.metrics.read(), subject.config)
    context = CheckContext(subject.student, subject.teacher, subject.source, history, sequences)
    results = examine(context, told)
    write_page(folder.path.name, context, results, folder.path / PAGE)
    return results
