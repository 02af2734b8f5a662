"""In bfloat16 cells, encoders and methods give the loss and gradient of float32, to rounding."""

from dataclasses import replace

import pytest
from small_runs import SMALL
from tiny import gradients

from pastforward.cells import CELLS, StudentConfig
from pastforward.config import Budget, RunConfig, Stage
from pastforward.data.opening import open_source
from pastforward.methods import METHODS, SMTConfig
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import ENCODERS
from pastforward.training import FitConfig
from pastforward.training.loop import Fit
from pastforward.training.networks import build_networks

SOURCE = open_source("copy:8")
ON_STUDENTS = [n for n, row in METHODS.items() if row.network == "student" and n != "distill"]


def stepped(config: RunConfig, method: str, precision: str) -> tuple[float, list]:
    asked = replace(config, stages=(Stage(method, 1.0, 1e-3),))
    network, teacher = build_networks(asked, SOURCE.signature)
    fit_config = FitConfig(batch=4, compile="off", precision=precision, clip=float("inf"))
    built = METHODS.load(method)(network, teacher, asked)
    fit = Fit(built, SOURCE, 1e-9, Budget(steps=1), fit_config)
    return fit.step()["loss"], gradients(fit.parameters)


def require_alike(config: RunConfig, method: str) -> None:
    found, expected = (stepped(config, method, kind) for kind in ("bfloat16", "float32"))
    assert found[0] != expected[0]
    assert found[0] == pytest.approx(expected[0], rel=0.05)
    off = sum(float((a - b).square().sum()) for a, b in zip(found[1], expected[1], strict=True))
    whole = sum(float(b.square().sum()) for b in expected[1])
    assert off < 0.1**2 * whole


@pytest.mark.parametrize("method", ["smt", "bptt"])
@pytest.mark.parametrize("cell", CELLS)
def test_cells(cell, method):
    student = StudentConfig(cell, CELLS[cell].slots or 2, width=8, embed=4, hidden=8)
    require_alike(replace(SMALL, student=student, smt=SMTConfig()), method)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoders(encoder):
    teacher = TeacherConfig(encoder, width=16, depth=1, heads=2, decoder_depth=1)
    smt = SMTConfig(consistency=1.0, uniformity=0.0)
    require_alike(replace(SMALL, teacher=teacher, smt=smt), "smt")


@pytest.mark.parametrize("method", ON_STUDENTS)
def test_methods(method):
    require_alike(replace(SMALL, smt=SMTConfig(uniformity=0.0)), method)
