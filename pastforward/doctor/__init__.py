"""L4. The doctor: what usually goes wrong with such networks, checked one by one.

A check is a function `(Patient) -> Finding` in `CHECKS`. It may raise `Skip` to say why it can't be
made; a new one is one function and one line here.
"""

from collections.abc import Callable
from dataclasses import replace

from pastforward.data import Source
from pastforward.doctor.agreement import readouts
from pastforward.doctor.collapse import label_collapse, student_collapse
from pastforward.doctor.data import held_out, target_leak, weights
from pastforward.doctor.drift import compounding, empty_memory, one_step_error
from pastforward.doctor.finding import Finding, Level, Skip
from pastforward.doctor.ladder import (
    best_possible,
    student_floor,
    student_gap,
    student_teacher,
    teacher_floor,
    teacher_gap,
)
from pastforward.doctor.leak import decoder_leak, label_leak, student_leak
from pastforward.doctor.patient import Past, Patient
from pastforward.doctor.progress import finished, learning
from pastforward.doctor.use import decoder_memory, student_memory
from pastforward.student import Student
from pastforward.teacher import Teacher

Check = Callable[[Patient], Finding]

CHECKS: dict[str, Check] = {
    "run finished": finished,
    "finite weights": weights,
    "targets not given": target_leak,
    "held-out data is new": held_out,
    "student: no future": student_leak,
    "labels: no future": label_leak,
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
    student: Student, teacher: Teacher | None, source: Source, past: Past | None = None,
    limit: int = 256,
) -> list[Finding]:  # fmt: skip
    """All checks on a student, its teacher where there is one, and the data both were trained on.

    `limit` held-out sequences of the test split are read, and as many training ones; `past` is what
    is known of the training. Networks are left as they came. Raises `UsageError` when the split
    holds no sequence or no output to predict.
    """
    return examine(Patient(student, teacher, source, past, limit))


def examine(patient: Patient, watch: Callable[[str], None] = lambda name: None) -> list[Finding]:
    """All checks, in the order of `CHECKS`; `watch(name)` is called before each."""
    findings = []
    for name, check in CHECKS.items():
        watch(name)
        findings.append(replace(_ask(check, patient), check=name))
    return findings


def _ask(check: Check, patient: Patient) -> Finding:
    try:
        return check(patient)
    except Skip as why:
        return Finding(Level.SKIPPED, f"Not checked: {why}.")
