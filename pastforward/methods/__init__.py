"""L3. Methods, by the names that recipes use."""

from collections.abc import Callable

from pastforward.config import RunConfig
from pastforward.methods.base import Losses, Method
from pastforward.methods.bptt import TruncatedBPTT, bptt
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.methods.smt import SMT, FrozenSMT, JointSMT, TeacherTraining
from pastforward.student import Student
from pastforward.teacher import Teacher

METHODS: dict[str, Callable[[Student, Teacher, RunConfig], Method]] = {
    "teacher": lambda student, teacher, run: TeacherTraining(teacher, run.smt),
    "smt": lambda student, teacher, run: JointSMT(student, teacher, run.smt),
    "smt-frozen": lambda student, teacher, run: FrozenSMT(student, teacher, run.smt),
    "dmt": lambda student, teacher, run: WindowDMT(student, teacher, run.dmt),
    "dmt-unroll": lambda student, teacher, run: UnrollDMT(student, teacher, run.dmt),
    "bptt": lambda student, teacher, run: bptt(student),
    "tbptt": lambda student, teacher, run: TruncatedBPTT(student, run.dmt.window),
}
"""Builders `(student, teacher, run) -> Method`; those by back-propagation use no teacher."""

__all__ = [
    "METHODS", "SMT", "FrozenSMT", "JointSMT", "Losses", "Method", "TeacherTraining",
    "TruncatedBPTT", "UnrollDMT", "WindowDMT", "bptt",
]  # fmt: skip
