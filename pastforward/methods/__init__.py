"""L3. Methods, by the names that recipes use."""

from collections.abc import Callable

from pastforward.config import RunConfig
from pastforward.methods.base import Losses, Method
from pastforward.methods.bptt import TruncatedBPTT, bptt
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.methods.rtrl import RTRL
from pastforward.methods.smt import SMT, FrozenSMT, JointSMT, TeacherTraining
from pastforward.oracle import Oracle
from pastforward.student import Student
from pastforward.teacher import Teacher


def _teacher(oracle: Oracle) -> Teacher:
    assert isinstance(oracle, Teacher), "a method that trains the teacher was given none"
    return oracle


METHODS: dict[str, Callable[[Student, Oracle, RunConfig], Method]] = {
    "teacher": lambda student, oracle, run: TeacherTraining(_teacher(oracle), run.smt),
    "smt": lambda student, oracle, run: JointSMT(student, _teacher(oracle), run.smt),
    "smt-frozen": lambda student, oracle, run: FrozenSMT(student, oracle, run.smt),
    "dmt": lambda student, oracle, run: WindowDMT(student, oracle, run.dmt),
    "dmt-unroll": lambda student, oracle, run: UnrollDMT(student, oracle, run.dmt),
    "bptt": lambda student, oracle, run: bptt(student),
    "tbptt": lambda student, oracle, run: TruncatedBPTT(student, run.dmt.window),
    "rtrl": lambda student, oracle, run: RTRL(student, run.fit.batch // run.fit.accumulate),
}
"""Builders `(student, oracle, run) -> Method`; those by back-propagation ask no oracle."""

__all__ = [
    "METHODS", "RTRL", "SMT", "FrozenSMT", "JointSMT", "Losses", "Method", "TeacherTraining",
    "TruncatedBPTT", "UnrollDMT", "WindowDMT", "bptt",
]  # fmt: skip
