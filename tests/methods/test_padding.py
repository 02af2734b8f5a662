"""Padding, what follows the last output that counts, changes no loss and no gradient."""

from dataclasses import replace

import pytest
import torch
from tiny import (
    assert_same,
    batch,
    descend,
    gradients,
    networks,
    seeded,
    sequence,
    signature,
    student,
    teacher,
)

from pastforward.config import RunConfig
from pastforward.losses import relevant
from pastforward.methods import METHODS, DMTConfig, SMTConfig, TBPTTConfig
from pastforward.teacher import encoders
from pastforward.teacher.target_source import StoredTargets
from pastforward.types import Batch, BatchWithTargets, Flags, Quantiles, Signature, Tokens, Vectors

RUN = RunConfig(
    smt=SMTConfig(future=4, consistency=0.5, uniformity=0.1),
    dmt=DMTConfig(window=3, distill=0.5),
    tbptt=TBPTTConfig(window=2),
)
ENDS = (9, 4, 7, 5)
"""Steps of each sequence up to its last output."""
KINDS = {
    "tokens": (Tokens(5), Tokens(4)),
    "vectors": (Vectors(3), Vectors(2)),
    "flags": (Vectors(3), Flags(2)),
    "quantiles": (Tokens(5), Quantiles(2, (0.1, 0.5, 0.7))),
}


def outputs(what, length, seed):
    kind = what.outputs
    if isinstance(kind, Tokens):
        return sequence(kind, len(ENDS), length, seed)
    y = sequence(Vectors(kind.width), len(ENDS), length, seed)
    return (y > 0).double() if isinstance(kind, Flags) else y


def ragged(what: Signature, length: int = 9) -> Batch:
    """Sequences of 9, 4, 7 and 5 steps in a batch of `length`; some outputs before are absent."""
    mask = torch.rand(len(ENDS), length, generator=seeded(7)) < 0.5
    for row, end in zip(mask, ENDS, strict=True):
        row[end - 1], row[end:] = True, False
    return Batch(sequence(what.inputs, len(ENDS), length, 8), outputs(what, length, 9), mask)


def padded(what: Signature, data: Batch, steps: int) -> Batch:
    """The same, longer by `steps`, and other numbers wherever there is padding."""
    length = data.mask.shape[1] + steps
    inside = torch.cat([relevant(data.mask), torch.zeros(len(ENDS), steps, dtype=torch.bool)], 1)
    mask = torch.cat([data.mask, torch.zeros(len(ENDS), steps, dtype=torch.bool)], 1)
    other = sequence(what.inputs, len(ENDS), length, 20), outputs(what, length, 21)
    for part, given in zip(other, data[:2], strict=True):
        part[inside] = given[relevant(data.mask)]
    return Batch(*other, mask)


def trained(method) -> list[torch.Tensor]:
    return gradients(p for module in method.modules() for p in module.parameters())


def assert_blind(method, data: Batch, other: Batch) -> None:
    """Same terms and gradients for both."""
    found = []
    for given in (data, other):
        losses = descend(method, given, 3)
        found.append((losses.total.detach(), losses.terms, trained(method)))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=0, atol=1e-10)
    for name, term in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], term, rtol=0, atol=1e-10)
    assert_same(found[1][2], found[0][2])


@pytest.mark.parametrize("steps", [0, 1, 4])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", METHODS)
def test_padding_changes_nothing(name, kind, steps):
    what = Signature(*KINDS[kind], 13)
    own, data = student(what), ragged(what)
    network, its_teacher = networks(name, own)
    method = METHODS.load(name)(network, its_teacher, RUN)
    assert_blind(method, data, padded(what, data, steps))


@pytest.mark.parametrize("steps", [0, 4])
@pytest.mark.parametrize("transitions", [3, 9])
@pytest.mark.parametrize("name", ["smt", "teacher", "smt-frozen"])
def test_padding_is_not_among_sampled_transitions(name, transitions, steps):
    what = signature(length=13)
    own, data = student(what), ragged(what)
    run = replace(RUN, smt=replace(RUN.smt, transitions=transitions))
    method = METHODS.load(name)(*networks(name, own), run)
    assert_blind(method, data, padded(what, data, steps))


def test_uniformity_leaves_out_sequences_that_have_ended():
    """Its steps are those of the first sequence, at whatever anchors it has."""
    what = signature(length=13)
    own, data = student(what), ragged(what)
    method = METHODS.load("teacher")(own, teacher(what, own), RUN)
    longer = padded(what, data, 4)
    for seed in range(20):
        one, other = (method.losses(given, seeded(seed)).terms for given in (data, longer))
        torch.testing.assert_close(one["uniformity"], other["uniformity"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("encoder", encoders.ENCODERS)
@pytest.mark.parametrize("name", ["smt", "dmt"])
def test_padding_changes_nothing_with_any_encoder(name, encoder):
    what = signature(length=13)
    own, data = student(what), ragged(what)
    method = METHODS.load(name)(own, teacher(what, own, encoder), RUN)
    assert_blind(method, data, padded(what, data, 4))


@pytest.mark.parametrize("window", [1, 4, 6, 9, 11, 20])
def test_windows_end_with_the_longest_sequence(window):
    """Wherever they are shifted to."""
    what = signature(length=13)
    own, data = student(what), ragged(what)
    run = replace(RUN, dmt=DMTConfig(window=window))
    method = METHODS.load("dmt")(own, teacher(what, own), run)
    for seed in range(window):
        one, other = (
            method.losses(given, seeded(seed)).total for given in (data, padded(what, data, 4))
        )
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].stored])
def test_padding_changes_nothing_with_stored_targets(name):
    what = signature(length=13)
    own, data = student(what), ragged(what)
    its_teacher, longer = teacher(what, own), padded(what, data, 4)
    source = StoredTargets(its_teacher.decoder.readout) if METHODS[name].teacher else None
    run = replace(RUN, smt=replace(RUN.smt, consistency=0.0))
    method = METHODS.load(name)(own, source, run)
    one, other = (
        BatchWithTargets(*given, its_teacher.targets(given.x).detach()) for given in (data, longer)
    )
    assert_blind(method, one, other)


@pytest.mark.parametrize("name", METHODS)
def test_steps_before_the_last_output_are_no_padding(name):
    """Inputs there do change losses: the mask says what counts, not what is read."""
    what = signature(length=13)
    own, data = student(what), ragged(what)
    method = METHODS.load(name)(*networks(name, own), RUN)
    x = data.x.clone()
    x[:, 0] = (x[:, 0] + 1) % 5
    one, other = (method.losses(data._replace(x=given), seeded(3)).total for given in (data.x, x))
    assert float((one - other).abs().detach()) > 1e-5


@pytest.mark.parametrize("name", sorted({*METHODS} - {"distill"}))
def test_class_weights_weigh_every_method_s_outputs(name):
    """A class of weight 0 is as if its outputs were absent.

    Distillation learns from its teacher's outputs, and that teacher was trained with the weights.
    """
    what = Signature(Tokens(5), Tokens(4), 9, class_weights=(0.0, 2.0, 1.0, 1.0))
    data = batch(replace(what, class_weights=None), count=4)
    # The last output counts in both, so that no step becomes padding.
    data.y[:, -1] = 1
    config = SMTConfig(decoding=1.0, prediction=1.0, dynamics=0.0, uniformity=0.0, future=9)
    run = replace(RUN, smt=config, dmt=DMTConfig(window=9, dynamics=0.0))
    results = []
    for mask in (data.mask, data.mask & (data.y != 0)):
        own = student(what)
        method = METHODS.load(name)(*networks(name, own), run)
        descend(method, data._replace(mask=mask), 3)
        results.append(trained(method))
    assert_same(*results)
