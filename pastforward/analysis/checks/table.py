"""L4. The table of checks, and `diagnose`, which makes all of them."""

from collections.abc import Callable
from dataclasses import replace

from pastforward.analysis.checks import data, drift, leak, loss_checks, memory_use
from pastforward.analysis.checks.context import CheckContext, CheckResult, History, Level, Skip
from pastforward.data.source import Source
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher

Check = Callable[[CheckContext], CheckResult]

CHECKS: dict[str, Check] = {
    "run finished": data.finished,
    "finite weights": data.finite_weights,
    "outputs not in inputs": data.output_leak,
    "held-out data is new": data.held_out,
    "student: no future": leak.student_leak,
    "targets: no future": leak.target_leak,
    "decoder: no future": leak.decoder_leak,
    "not below best possible": loss_checks.best_possible,
    "student beats reference": loss_checks.student_reference,
    "teacher beats reference": loss_checks.teacher_reference,
    "student near teacher": loss_checks.student_teacher,
    "student uses memory": memory_use.student_memory,
    "decoder uses memory": memory_use.decoder_memory,
    "targets differ": memory_use.target_collapse,
    "memories differ": memory_use.student_collapse,
    "one step": drift.one_step_error,
    "compounding": drift.compounding,
    "empty memory": drift.empty_memory,
    "readouts agree": drift.readouts,
    "student generalises": loss_checks.student_generalises,
    "teacher generalises": loss_checks.teacher_generalises,
    "training converged": data.converged,
}
"""In the order to read them: what makes later figures meaningless comes first."""


def diagnose(
    student: Student, teacher: Teacher | None, source: Source, history: History | None = None,
    limit: int = 256,
) -> list[CheckResult]:  # fmt: skip
    """All checks on a student, its teacher where there is one, and their data.

    `limit` sequences of the test split are read, and as many training ones. Networks keep their
    mode. Raises `UsageError` when the split holds no sequence or no output to predict.
    """
    return examine(CheckContext(student, teacher, source, history, limit))


def examine(
    context: CheckContext, watch: Callable[[str], None] = lambda name: None
) -> list[CheckResult]:
    """All checks, in the order of `CHECKS`; `watch(name)` is called before each."""
    results = []
    for name, check in CHECKS.items():
        watch(name)
        try:
            found = check(context)
        except Skip as why:
            found = CheckResult(Level.SKIPPED, f"Not checked: {why}.")
        results.append(replace(found, check=name))
    return results
