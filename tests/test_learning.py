"""The whole method, end to end: a student that learned by SMT and DMT solves a task by itself."""

import pytest
import torch

from pastforward.cells import StudentConfig
from pastforward.config import Budget
from pastforward.data.opening import open_source
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.methods.dmt import WindowDMT
from pastforward.methods.smt import JointSMT, TeacherTraining
from pastforward.student import Student, build_student
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import LinearConfig
from pastforward.teacher.teacher import build_teacher
from pastforward.training import FitConfig
from pastforward.training.fit import FitContext, fit

SOURCE = open_source("copy:8")
SMT = SMTConfig(anchors=1, noise=0.2, uniformity=0.05)
DMT = DMTConfig(window=8, dynamics=0.1)
FIT = FitConfig(batch=32, warmup=20, compile="off")


@torch.no_grad()
def accuracy(student: Student) -> float:
    """Of held-out outputs, from the empty memory, one step after the other."""
    right = counted = 0
    for x, y, mask in SOURCE.held_out("test", 256, 1024):
        found = student(x)[0].argmax(-1)
        right += int(((found == y) & mask).sum())
        counted += int(mask.sum())
    return right / counted


@pytest.mark.parametrize("seed", [0])
def test_a_student_of_smt_and_dmt_copies_strings_alone(seed):
    torch.manual_seed(seed)
    student = build_student(StudentConfig("mlp", 8, 16, embed=32, hidden=64), SOURCE.signature)
    config = TeacherConfig(encoder_config=LinearConfig(initial_decay_time=8 / 3))
    teacher = build_teacher(config, SOURCE.signature, student.memory)
    told = FitContext(seed=seed)

    fit(TeacherTraining(teacher, SMT), SOURCE, 4e-3, Budget(steps=80), FIT, told)
    assert accuracy(student) < 0.3  # it was not trained yet; there are 8 symbols
    smt = JointSMT(student, teacher, SMT)
    assert smt.serial_calls(8) == 1  # no two cell calls one after the other
    fit(smt, SOURCE, 4e-3, Budget(steps=120), FIT, told)
    by_smt = accuracy(student)
    assert by_smt > 0.7
    fit(WindowDMT(student, teacher, DMT), SOURCE, 1e-3, Budget(steps=120), FIT, told)
    by_dmt = accuracy(student)
    assert by_dmt >= 0.99
    assert by_dmt > by_smt  # on its own memories it drifts less
