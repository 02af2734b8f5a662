"""The gap between teacher and student, cut where the student's own steps begin."""

import pytest
import tiny
import torch
from oracles import surprise
from stand_ins import Fixed

from pastforward.analysis.evaluate import evaluate
from pastforward.analysis.gap import loss_gap
from pastforward.types import Batch


@pytest.fixture(params=[("tokens", 7), ("vectors", 8), ("tokens", 1), ("tokens", 2)], ids=str)
def setting(request):
    kind, length = request.param
    student, teacher, batch = tiny.pair(kind, length)
    return student, teacher, Fixed(student.signature, batch)


class Ragged(Fixed):
    """The first sequence is short, and comes in a batch of its own length."""

    short = 3

    def held_out(self, split, size, limit):
        yield Batch(*(part[:1, : self.short] for part in self.whole))
        yield Batch(*(part[1:] for part in self.whole))


def slowly(student, teacher, batch, k: int) -> float:
    """The loss after k own steps from a target, one output at a time."""
    losses, targets = [], teacher.targets(batch.x)
    for b, t in batch.mask.nonzero().tolist():
        begin = max(0, t + 1 - k)
        m = targets[b, begin]
        for s in range(begin, t + 1):
            m = student.step(m, batch.x[b, s])
        losses.append(surprise(student, m, batch.y[b, t]))
    return float(torch.stack(losses).mean())


@torch.no_grad()
def test_every_k_against_loops(setting):
    student, teacher, source = setting
    gap = loss_gap(student, teacher, source, size=2)
    length = source.signature.length
    assert list(gap.after) == [k for k in (0, 1, 2, 4, 7, 8) if k < length and k != 7] + [length]
    for k, loss in gap.after.items():
        assert loss.nats == pytest.approx(slowly(student, teacher, source.whole, k), abs=1e-10)


def test_the_ends_are_the_evaluation(setting):
    student, teacher, source = setting
    gap, found = loss_gap(student, teacher, source), evaluate(student, teacher, source)
    assert found.teacher is not None
    assert found.drift is not None
    assert gap.teacher.nats == found.teacher.nats
    assert gap.alone.nats == found.student.nats
    assert gap.total == found.student.nats - found.teacher.nats
    relative = found.drift.relative[1:]
    assert gap.alone.drift == pytest.approx(sum(relative) / len(relative))
    assert gap.after[1].drift == pytest.approx(found.drift.one_step, rel=1e-6)
    assert gap.after[0].drift == gap.teacher.drift == 0.0
    assert gap.sequences == 3


def test_shares_add_up(setting):
    gap = loss_gap(*setting)
    assert sum(gap.parts.values()) == pytest.approx(gap.total, abs=1e-12)
    if gap.total > 0:
        assert gap.shares is not None
        assert sum(gap.shares.values()) == pytest.approx(1.0)
    else:
        assert gap.shares is None
    assert [row["steps"] for row in gap.to_json()["after"]] == list(gap.after)


def test_at_k_0_the_students_readout_reads_the_targets(setting):
    student, teacher, source = setting
    teacher.decoder.readout = student.readout
    assert loss_gap(student, teacher, source).parts["readout"] == 0.0


@torch.no_grad()
def test_from_the_same_start_there_is_no_part_for_it(setting):
    student, teacher, source = setting
    other = loss_gap(student, teacher, source)
    assert abs(other.parts["start"]) > 1e-6
    student.empty.copy_(teacher.encoder.empty_target(source.whole.x)[0, 0])
    gap = loss_gap(student, teacher, source)
    assert gap.parts["start"] == pytest.approx(0.0, abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("length", [7, 8])
def test_every_k_is_of_all_sequences_where_some_are_shorter(length):
    student, teacher, batch = tiny.pair("tokens", length)
    batch.mask[0, 2] = True
    source = Ragged(student.signature, batch)
    gap = loss_gap(student, teacher, source)
    assert list(gap.after) == list(loss_gap(student, teacher, Fixed(source.signature, batch)).after)
    padded = batch._replace(mask=batch.mask.clone())
    padded.mask[0, source.short :] = False
    for k, loss in gap.after.items():
        assert loss.nats == pytest.approx(slowly(student, teacher, padded, k), abs=1e-10)
    assert sum(gap.parts.values()) == pytest.approx(gap.total, abs=1e-12)
