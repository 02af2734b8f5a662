"""L4. The table of checks, and `diagnose`, which makes all of them."""

from collections.abc import Callable
from dataclasses import replace

from pastforward.analysis.checks.context import CheckContext, CheckResult, History, Level, Skip
from pastforward.analysis.checks.data import (
    converged,
    finished,
    finite_weights,
    held_out,
    output_leak,
)
from pastforward.analysis.checks.drift import compounding, empty_memory, one_step_error, readouts
from pastforward.analysis.checks.leak import decoder_leak, student_leak, target_leak
from pastforward.analysis.checks.loss_checks import (
    best_possible,
    student_generalises,
    student_reference,
    student_teacher,
    teacher_generalises,
    teacher_reference,
)
from pastforward.analysis.checks.memory_use import (
    decoder_memory,
    student_collapse,
    student_memory,
    target_collapse,
)
from pastforward.data.source import Source
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher

Check = Callable[[CheckContext], CheckResult]

CHECKS: dict[str, Check] = {
    "run finished": finished,
    "finite weights": finite_weights,
    "outputs not in inputs": output_leak,
    "held-out data is new": held_out,
    "student: no future": student_leak,
    "targets: no future": target_leak,
    "decoder: no future": decoder_leak,
    "not below best possible": best_possible,
    "student beats reference": student_reference,
    "teacher beats reference": teacher_reference,
    "student near teacher": student_teacher,
    "student uses memory": student_memory,
    "decoder uses memory": decoder_memory,
    "targets differ": target_collapse,
    "memories differ": student_collapse,
    "one step": one_step_error,
    "compounding": compounding,
    "empty memory": empty_memory,
    "readouts agree": readouts,
    "student generalises": student_generalises,
    "teacher generalises": teacher_generalises,
    "training converged": converged,
}
"""In the order to read them: what makes later figures meaningless comes first."""


def diagnose(
    student: Student, teacher: Teacher | None, source: Source, history: History | None = None,
    limit: int = 256,
) -> list[CheckResult]:  # fmt: skip
    """All checks on a student, its teacher where there is one, and their data.

    `limit` held-out sequences of the test split are read, and as many training ones; `history` is
    what is known of the training. Networks are left in the mode in which they came. Raises
    `UsageError` when the split holds no sequence or no output to predict.
    """
    return examine(CheckContext(student, teacher, source, history, limit))


def examine(
    context: CheckContext, watch: Callable[[str], None] = lambda name: None
) -> list[CheckResult]:
    """All checks, in the order of `CHECKS`; `watch(name)` is called before each."""
    results = []
    for name, check in CHECKS.items():
        watch(name)
        results.append(replace(_result(check, context), check=name))
    return results


def _result(check: Check, context: CheckContext) -> CheckResult:
    try:
        return check(context)
    except Skip as why:
        return CheckResult(Level.SKIPPED, f"Not checked: {why}.")
