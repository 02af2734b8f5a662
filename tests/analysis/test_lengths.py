"""Losses beyond the trained length."""

import pytest
import tiny
import torch
from oracles import through_time
from stand_ins import Fixed

from pastforward.analysis.evaluate import evaluate
from pastforward.analysis.lengths import at_length, loss_by_length
from pastforward.data import DataConfig
from pastforward.errors import UsageError
from pastforward.types import Signature, Tokens


def opener(what: Signature):
    def open_at(length: int) -> Fixed:
        return Fixed(Signature(what.inputs, what.outputs, length), tiny.batch(what, length=length))

    return open_at


@torch.no_grad()
@pytest.mark.parametrize("kind", ["tokens", "vectors"])
def test_at_the_trained_length_it_is_the_evaluation_and_beyond_it_a_loop(kind):
    student, teacher, batch = tiny.pair(kind)
    found = list(loss_by_length(student, teacher, opener(student.signature), [7, 14, 28]))
    same = evaluate(student, teacher, Fixed(student.signature, batch))
    assert (found[0].student, found[0].teacher) == (same.student, same.teacher)
    for row in found:
        slow = through_time(student, tiny.batch(student.signature, length=row.length), 1000)
        assert row.student.nats == pytest.approx(float(slow), abs=1e-10)
        assert len(row.student.by_position) == row.length
        assert (row.sequences, row.reference) == (3, 1.5)


@pytest.mark.parametrize("encoder", tiny.ENCODERS)
@torch.no_grad()
def test_targets_beyond_the_trained_length(encoder):
    student, teacher, _ = tiny.pair(encoder=encoder)  # T = 7
    x = tiny.batch(student.signature, length=16).x
    targets = teacher.targets(x)
    assert targets.shape[1] == 17
    torch.testing.assert_close(targets[:, :8], teacher.targets(x[:, :7]))
    changed = x.clone()
    changed[:, 0] = (x[:, 0] + 1) % 5
    reaches_the_end = not torch.equal(teacher.targets(changed)[:, -1], targets[:, -1])
    assert reaches_the_end == (encoder != "window")  # which sees the last 7 inputs alone


def test_data_at_another_length(tmp_path):
    assert at_length(DataConfig("copy:8"), 16).name == "copy:16"
    assert at_length(DataConfig("copy", 8), 16).signature.length == 16
    (tmp_path / "tale.txt").write_text("abcd" * 500)
    text = DataConfig(str(tmp_path / "tale.txt"), length=8)
    assert at_length(text, 32).signature.length == 32
    with pytest.raises(UsageError, match="have 64 steps"):
        at_length(DataConfig("digits"), 128)
    with pytest.raises(UsageError, match="too short"):
        at_length(text, 3000)


def test_other_symbols_are_refused():
    student = tiny.student(tiny.signature())
    other = opener(Signature(Tokens(6), Tokens(4), 7))
    with pytest.raises(UsageError, match="symbols or channels that it was trained on"):
        next(loss_by_length(student, None, other, [14]))
