"""L3. Methods, by the names that recipes use."""

from collections.abc import Callable
from typing import Any

from pastforward.config import RunConfig
from pastforward.methods.base import Losses, Method
from pastforward.methods.bptt import TruncatedBPTT, bptt
from pastforward.methods.distill import Distillation
from pastforward.methods.dmt import UnrollDMT, WindowDMT, teacher_forced
from pastforward.methods.parallel import Parallel
from pastforward.methods.rtrl import RTRL
from pastforward.methods.smt import SMT, FrozenSMT, JointSMT, TeacherTraining

METHODS: dict[str, Callable[[Any, Any, RunConfig], Method]] = {
    "teacher": lambda student, target_source, run: TeacherTraining(target_source, run.smt),
    "smt": lambda student, target_source, run: JointSMT(student, target_source, run.smt),
    "smt-frozen": lambda student, target_source, run: FrozenSMT(student, target_source, run.smt),
    "teacher-forced": lambda student, target_source, run: WindowDMT(
        student, target_source, teacher_forced(run.dmt)
    ),
    "dmt": lambda student, target_source, run: WindowDMT(student, target_source, run.dmt),
    "dmt-unroll": lambda student, target_source, run: UnrollDMT(student, target_source, run.dmt),
    "bptt": lambda student, guide, run: bptt(student),
    "tbptt": lambda student, guide, run: TruncatedBPTT(student, run.dmt.window),
    "rtrl": lambda student, guide, run: RTRL(student, run.fit.batch // run.fit.accumulate),
    "transformer": lambda student, transformer, run: Parallel(transformer),
    "distill": lambda student, transformer, run: Distillation(student, transformer),
    "parallel": lambda baseline, guide, run: Parallel(baseline),
}
"""Builders `(network, guide, run) -> Method`. What is trained is a student, or a peer. Its guide is
an oracle (a teacher where it is trained), a Transformer, or nobody, as the tables below say."""

BY_ORACLE = ("teacher", "smt", "smt-frozen", "teacher-forced", "dmt", "dmt-unroll")
BY_TRANSFORMER = ("transformer", "distill")
TRAIN_A_GUIDE = ("teacher", "smt", "transformer")
IN_WINDOWS = ("teacher-forced", "dmt", "tbptt")
LEAVE_THE_STUDENT = ("teacher", "transformer")

__all__ = [
    "BY_ORACLE", "BY_TRANSFORMER", "IN_WINDOWS", "LEAVE_THE_STUDENT", "METHODS", "RTRL", "SMT",
    "TRAIN_A_GUIDE", "Distillation", "FrozenSMT", "JointSMT", "Losses", "Method", "Parallel",
    "TeacherTraining", "TruncatedBPTT", "UnrollDMT", "WindowDMT", "bptt",
]  # fmt: skip
