"""Futures of inputs, decoded beside those of outputs: what the loss is, and what it moves."""

import pytest
import torch
from tiny import batch, descend, gradients, pair, seeded, signature, still

from pastforward.methods import SMTConfig
from pastforward.methods.smt import FrozenSMT, JointSMT, TeacherTraining
from pastforward.methods.transitions import SampledAnchors, sample_anchors
from pastforward.outputs import output_loss
from pastforward.types import MemoryShape

KINDS = ("tokens", "vectors")
LENGTHS = (7, 4, 1)
TERMS = ("decoding", "prediction", "dynamics", "readout", "uniformity")
ALONE = SMTConfig(**dict.fromkeys(TERMS, 0.0), input_decoding=1.0, future=4)


def padded(data):
    """The same sequences, as if they had `LENGTHS` steps."""
    mask = data.mask.clone()
    for row, length in enumerate(LENGTHS):
        mask[row, length - 1], mask[row, length:] = True, False
    return data._replace(mask=mask)


@pytest.mark.parametrize("build", [TeacherTraining, JointSMT])
@pytest.mark.parametrize("kind", KINDS)
def test_it_moves_encoder_and_decoder_and_no_readout_of_outputs(build, kind):
    own, teacher, data = pair(kind, inputs=True)
    method = build(teacher, ALONE) if build is TeacherTraining else build(own, teacher, ALONE)
    descend(method, data)
    decoder = teacher.decoder
    assert still(own)
    assert still(decoder.readout)
    assert still(decoder.head)
    for part in (teacher.encoder, decoder.transformer, decoder.input_readout, decoder.input_head):
        assert all(g.any() for g in gradients(part))


def test_a_student_of_a_frozen_teacher_decodes_no_inputs():
    own, teacher, data = pair(inputs=True)
    assert "input_decoding" not in FrozenSMT(own, teacher, ALONE).losses(data, seeded()).terms


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [None, [[2, 5, 7], [1, 3, 6], [1, 2, 4]]])
@pytest.mark.parametrize("future", [1, 4, None])
def test_by_hand(kind, times, future):
    _, teacher, data = pair(kind, inputs=True)
    data, anchors = padded(data), torch.tensor([[0, 2], [1, 1], [2, 0]])
    config = SMTConfig(input_decoding=0.5, future=future)
    times = None if times is None else torch.tensor(times)
    found = TeacherTraining(teacher, config).compute(data, SampledAnchors(times, anchors, None))[1]
    targets, values = teacher.targets(data.x), []
    for b, row in enumerate(anchors.tolist()):
        for anchor in row:
            t = anchor + 1 if times is None else int(times[b, anchor])
            for j in range(1, (future or 7) + 1):  # x_{t+j} from m_t and x_{t+1}..x_{t+j-1}
                if t + j > LENGTHS[b]:
                    continue
                before, m = data.x[b, t : t + j - 1], targets[b, t]
                read = teacher.decoder.with_inputs(m[None, None], before[None, None])[1]
                x = data.x[b, t + j - 1][None]
                values.append(output_loss(teacher.signature.inputs, read[0, 0, -1:], x).squeeze())
    torch.testing.assert_close(found["input_decoding"], torch.stack(values).mean())


def test_padding_moves_nothing():
    _, teacher, data = pair(inputs=True)
    data = padded(data)
    found = []
    for x in (data.x, torch.where(torch.arange(7) < torch.tensor(LENGTHS)[:, None], data.x, 0)):
        descend(TeacherTraining(teacher, ALONE), data._replace(x=x))
        found.append(gradients(teacher.decoder.input_head))
    assert not torch.equal(x, data.x)
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("transitions", [None, 7])
def test_anchors_are_where_an_input_follows_or_an_output_counts(transitions):
    data = batch(signature())
    mask = torch.zeros_like(data.mask)
    mask[0, 6], mask[1, 3] = True, True
    config = SMTConfig(future=1, input_decoding=1.0, transitions=transitions)
    found = [set(), set()]
    for seed in range(60):
        drawn = sample_anchors(config, data._replace(mask=mask), MemoryShape(1, 2), seeded(seed))
        for row, seen in enumerate(found):
            anchors = drawn.anchors[row]
            chosen = anchors if drawn.times is None else drawn.times[row][anchors] - 1
            offered = range(7) if drawn.times is None else (drawn.times[row] - 1).tolist()
            if set(offered) & set(range((7, 4)[row])):
                seen |= set(chosen.tolist())
    assert found == [set(range(7)), set(range(4))]
