"""Whose memories, of which sequences, and the samples for probes of them."""

import numpy as np
import tiny
import torch
from stand_ins import Fixed, Parity

from pastforward.analysis.probe import linear_probe, remember
from pastforward.cells import StudentConfig
from pastforward.data.labelled import labelled
from pastforward.losses import relevant
from pastforward.memory import flat
from pastforward.student import Student, build_student


@torch.no_grad()
def test_memories_are_those_of_the_networks():
    student, teacher, batch = tiny.pair()
    source = Fixed(student.signature, batch)
    found = remember({"student": student, "targets": teacher}, source, "test", 3, size=2)
    m = student.start(3)
    for t in range(7):
        m = student.step(m, batch.x[:, t])
        torch.testing.assert_close(found.by["student"][:, t], flat(m).float())
    torch.testing.assert_close(found.by["targets"], flat(teacher.targets(batch.x)[:, 1:]).float())
    assert found.states == {}
    assert all(torch.equal(a, b) for a, b in zip(found.batch, batch, strict=True))
    assert student.training  # the mode is restored
    assert teacher.training


def test_futures_are_where_the_readout_and_the_decoder_see_them():
    student, _, batch = tiny.pair()
    found = remember({"student": student}, Fixed(student.signature, batch), "test", 3)
    for ahead in (1, 3, 7):
        asked = found.of_future("student", ahead)
        for t in range(7):
            at = t + ahead - 1
            counts = batch.mask[:, at] if at < 7 else torch.zeros(3, dtype=torch.bool)
            assert torch.equal(asked.counted[:, t], counts)
            if at < 7:
                assert torch.equal(asked.targets[:, t], batch.y[:, at])


class Counter(torch.nn.Module):
    """Changes sign at a 1: a linear cell that knows parity."""

    def forward(self, e, state):
        return torch.where(e[:, :1] > 0, -state, state)


def test_a_probe_reads_parity_off_a_network_that_keeps_it():
    from pastforward.cells.build import wrap
    from pastforward.types import MemoryShape

    source, later = Parity(48, 9), Parity(32, 9, seed=1)
    torch.manual_seed(0)
    keeper = Student(source.signature, wrap(Counter())(MemoryShape(1, 4), 2))
    with torch.no_grad():
        keeper.embed.weight.copy_(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    fit, test = (remember({"student": keeper}, part, "test", 64) for part in (source, later))
    asked = [part.of_state("student", "parity") for part in (fit, test)]
    assert linear_probe(*asked).accuracy == 1.0
    assert fit.states["length"].shape == (48, 9)


@torch.no_grad()
def test_sequences_of_several_lengths_are_remembered_as_one_by_one():
    random = np.random.default_rng(0)
    xs = [random.normal(size=(n, 2)) for n in (3, 5, 9) * 6]
    y = np.arange(len(xs)) % 2
    data = labelled(xs, y, test=(xs, y))
    assert len({batch.x.shape[1] for batch in data.held_out("test", 4, 18)}) > 1
    student = build_student(StudentConfig("gru", 1, 8), data.signature)
    found = remember({"student": student}, data, "test", 18, size=4)
    assert found.by["student"].shape == (18, 9, 8)
    real = relevant(found.batch.mask)
    for row, x, own in zip(found.by["student"], found.batch.x, real, strict=True):
        alone = student.rollout(x[own][None])[0, 1:].flatten(1)
        torch.testing.assert_close(row[own], alone)
    assert sorted(real.sum(1).tolist()) == sorted(map(len, xs))
