"""L3. Methods, by the names that recipes use."""

from collections.abc import Callable
from typing import Any

from pastforward.config import RunConfig
from pastforward.methods.base import Losses, Method
from pastforward.methods.bptt import TruncatedBPTT, bptt
from pastforward.methods.distil import Distillation
from pastforward.methods.dmt import UnrollDMT, WindowDMT, following
from pastforward.methods.parallel import Parallel
from pastforward.methods.rtrl import RTRL
from pastforward.methods.smt import SMT, FrozenSMT, JointSMT, TeacherTraining

METHODS: dict[str, Callable[[Any, Any, RunConfig], Method]] = {
    "teacher": lambda student, oracle, run: TeacherTraining(oracle, run.smt),
    "smt": lambda student, oracle, run: JointSMT(student, oracle, run.smt),
    "smt-frozen": lambda student, oracle, run: FrozenSMT(student, oracle, run.smt),
    "follow": lambda student, oracle, run: WindowDMT(student, oracle, following(run.dmt)),
    "dmt": lambda student, oracle, run: WindowDMT(student, oracle, run.dmt),
    "dmt-unroll": lambda student, oracle, run: UnrollDMT(student, oracle, run.dmt),
    "bptt": lambda student, guide, run: bptt(student),
    "tbptt": lambda student, guide, run: TruncatedBPTT(student, run.dmt.window),
    "rtrl": lambda student, guide, run: RTRL(student, run.fit.batch // run.fit.accumulate),
    "transformer": lambda student, transformer, run: Parallel(transformer),
    "distil": lambda student, transformer, run: Distillation(student, transformer),
    "parallel": lambda peer, guide, run: Parallel(peer),
}
"""Builders `(network, guide, run) -> Method`. What is trained is a student, or a peer. Its guide is
an oracle (a teacher where it is trained), a Transformer, or nobody, as the tables below say."""

BY_ORACLE = ("teacher", "smt", "smt-frozen", "follow", "dmt", "dmt-unroll")
BY_TRANSFORMER = ("transformer", "distil")
TRAIN_A_GUIDE = ("teacher", "smt", "transformer")
IN_WINDOWS = ("follow", "dmt", "tbptt")
LEAVE_THE_STUDENT = ("teacher", "transformer")

__all__ = [
    "BY_ORACLE", "BY_TRANSFORMER", "IN_WINDOWS", "LEAVE_THE_STUDENT", "METHODS", "RTRL", "SMT",
    "TRAIN_A_GUIDE", "Distillation", "FrozenSMT", "JointSMT", "Losses", "Method", "Parallel",
    "TeacherTraining", "TruncatedBPTT", "UnrollDMT", "WindowDMT", "bptt",
]  # fmt: skip
