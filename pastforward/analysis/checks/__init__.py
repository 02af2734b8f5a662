"""L4. The doctor: what usually goes wrong with such networks, checked one by one.

A check is a function `(Patient) -> Finding` in `CHECKS`. It may raise `Skip` to say why it can't be
made; a new one is one function and one line here.
"""

from collections.abc import Callable
from dataclasses import replace

from pastforward.analysis.checks.agreement import readouts
from pastforward.analysis.checks.collapse import label_collapse, student_collapse
from pastforward.analysis.checks.context import CheckContext, History
from pastforward.analysis.checks.data import held_out, target_leak, weights
from pastforward.analysis.checks.drift import compounding, empty_memory, one_step_error
from pastforward.analysis.checks.leak import decoder_leak, student_leak, target_leak_
from pastforward.analysis.checks.loss_checks import (
    best_possible,
    student_floor,
    student_gap,
    student_teacher,
    teacher_floor,
    teacher_gap,
)
from pastforward.analysis.checks.memory_use import decoder_memory, student_memory
from pastforward.analysis.checks.progress import finished, learning
from pastforward.analysis.checks.result import CheckResult, Level, Skip
from pastforward.data.source import Source
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher

Check = Callable[[CheckContext], CheckResult]

CHECKS: dict[str, Check] = {
    "run finished": finished,
    "finite weights": weights,
    "targets not given": target_leak,
    "held-out data is new": held_out,
    "student: no future": student_leak,
    "labels: no future": target_leak_,
    "decoder: no future": decoder_leak,
    "not too good": best_possible,
    "student beats floor": student_floor,
    "teacher beats floor": teacher_floor,
    "student near teacher": student_teacher,
    "student uses memory": student_memory,
    "decoder uses memory": decoder_memory,
    "labels spread": label_collapse,
    "memories spread": student_collapse,
    "one step": one_step_error,
    "compounding": compounding,
    "start at m_0": empty_memory,
    "readouts agree": readouts,
    "student generalises": student_gap,
    "teacher generalises": teacher_gap,
    "learning was over": learning,
}
"""In the order to read them: what makes later figures void comes first."""

__all__ = ["CHECKS", "Check", "Finding", "Level", "Past", "Patient", "Skip", "diagnose", "examine"]


def diagnose(
    student: Student, teacher: Teacher | None, source: Source, history: History | None = None,
    limit: int = 256,
) -> list[CheckResult]:  # fmt: skip
    """All checks on a student, its teacher where there is one, and the data both were trained on.

    `limit` held-out sequences of the test split are read, and as many training ones; `past` is what
    is known of the training. Networks are left as they came. Raises `UsageError` when the split
    holds no sequence or no output to predict.
    """
    return examine(CheckContext(student, teacher, source, history, limit))


def examine(
    context: CheckContext, watch: Callable[[str], None] = lambda name: None
) -> list[CheckResult]:
    """All checks, in the order of `CHECKS`; `watch(name)` is called before each."""
    results = []
    for name, check in CHECKS.items():
        watch(name)
        results.append(replace(_ask(check, context), check=name))
    return results


def _ask(check: Check, context: CheckContext) -> CheckResult:
    try:
        return check(context)
    except Skip as why:
        return CheckResult(Level.SKIPPED, f"Not checked: {why}.")
