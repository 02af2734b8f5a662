"""Sequences of several lengths give the figures that they give one by one, without padding."""

from dataclasses import asdict

import pytest
import torch
from stand_ins import Fixed

from pastforward.analysis.evaluate import Evaluation, evaluate, quick_score
from pastforward.analysis.gap import loss_gap
from pastforward.analysis.memory_meters import CollapseMeter
from pastforward.cells import StudentConfig
from pastforward.student import build_student
from pastforward.teacher import TeacherConfig
from pastforward.teacher.teacher import build_teacher
from pastforward.types import Batch, Flags, Kind, Quantiles, Signature, Tokens, Vectors

LENGTH, ENDS = 70, (70, 3, 41, 1, 56, 0)
KINDS = [Tokens(4), Vectors(2), Flags(2), Quantiles(2, (0.2, 0.5, 0.9))]


class Ragged(Fixed):
    """Sequences in one batch, padded with anything, or in as many batches as sequences."""

    def __init__(self, outputs: Kind, one_by_one: bool) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (len(ENDS), LENGTH)
        x = torch.randint(4, shape, generator=generator)
        mask = torch.rand(shape, generator=generator) < 0.5
        for row, end in zip(mask, ENDS, strict=True):
            row[max(0, end - 1) : end], row[end:] = True, False
        if isinstance(outputs, Tokens):
            y = torch.randint(4, shape, generator=generator)
        else:
            y = (torch.randn(*shape, 2, generator=generator) > 0).float()
        super().__init__(Signature(Tokens(4), outputs, LENGTH), Batch(x, y, mask))
        self.one_by_one = one_by_one

    def held_out(self, split, size, limit):
        if not self.one_by_one:
            yield self.whole
            return
        for b, end in enumerate(ENDS):
            yield Batch(*(part[b : b + 1, : max(1, end)] for part in self.whole))


def networks(signature: Signature):
    torch.manual_seed(0)
    student = build_student(StudentConfig(cell="gru", slots=2, width=4, embed=3), signature)
    config = TeacherConfig(width=8, depth=1, heads=2, decoder_depth=1)
    return student, build_teacher(config, signature, student.memory)


def figures(found: Evaluation) -> dict[str, float]:
    """Every number by its path; None as -1."""

    def walk(path, value):
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            return {k: v for name, part in items for k, v in walk(f"{path}.{name}", part).items()}
        return {} if isinstance(value, str) else {path: -1.0 if value is None else float(value)}

    return walk("", asdict(found))


@pytest.mark.parametrize("outputs", KINDS)
def test_evaluation_of_a_ragged_batch_is_that_of_its_sequences_one_by_one(outputs):
    both, quick = [], []
    for one_by_one in (False, True):
        source = Ragged(outputs, one_by_one)
        student, teacher = networks(source.signature)
        both.append(figures(evaluate(student, teacher, source)))
        quick.append(quick_score(student, source.held_out("valid", 64, 64)).nats)
    assert both[0] == pytest.approx(both[1], rel=1e-4, abs=1e-5)
    assert quick[0] == pytest.approx(quick[1], rel=1e-5)
    assert both[0][".sequences"] == len(ENDS)
    assert both[0][".student.by_position.69"] > 0


def test_the_gap_of_a_ragged_batch_leaves_out_its_padding():
    source = Ragged(Tokens(4), False)
    student, teacher = networks(source.signature)
    found = loss_gap(student, teacher, source)
    drift = evaluate(student, teacher, source).drift
    assert drift is not None
    assert found.alone.drift == pytest.approx(sum(drift.relative[1:]) / LENGTH, rel=1e-5)


def test_collapse_meter_takes_each_step_of_a_short_sequence_once():
    m = torch.arange(2 * 80.0).view(2, 80, 1, 1)
    used = torch.arange(80) < torch.tensor([[80], [5]])
    meter = CollapseMeter(1)
    meter.add(m, used)
    assert meter.count == 32 + 5
    spread = [round(step * 79 / 31) for step in range(32)]
    assert float(meter.sum) == sum(spread) + sum(range(80, 85))
