"""Training on stored targets is training with the frozen teacher itself."""

import pytest
import torch
from tiny import assert_same, descend, gradients, pair

from pastforward.errors import UsageError
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.methods.bptt import bptt
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.methods.smt import FrozenSMT
from pastforward.teacher.target_source import StoredTargets
from pastforward.types import BatchWithTargets

METHODS = {
    "smt": lambda own, target_source: FrozenSMT(own, target_source, SMTConfig(noise=0.1)),
    "smt, some times": lambda own, target_source: FrozenSMT(
        own, target_source, SMTConfig(transitions=4)
    ),
    "windows": lambda own, target_source: WindowDMT(
        own, target_source, DMTConfig(3, on_policy_fraction=0.5, distill=0.5)
    ),
    "windows from targets": lambda own, target_source: WindowDMT(
        own, target_source, DMTConfig(2, on_policy_fraction=0.0)
    ),
    "unroll": lambda own, target_source: UnrollDMT(own, target_source, DMTConfig(distill=0.5)),
}


def both(name: str, kind: str, encoder: str, dtype: torch.dtype):
    """Total, terms and gradients with the teacher, and with its targets rounded to `dtype`."""
    own, teacher, data = pair(kind, encoder=encoder)
    stored = BatchWithTargets(*data, teacher.targets(data.x).detach().to(dtype).double())
    for target_source, batch in ((teacher, data), (StoredTargets(teacher.decoder.readout), stored)):
        own.zero_grad(set_to_none=True)
        losses = descend(METHODS[name](own, target_source), batch)
        yield losses.total.detach(), losses.terms, gradients(own)


@pytest.mark.parametrize("kind", ["tokens", "vectors"])
@pytest.mark.parametrize("encoder", ["registers", "window"])
@pytest.mark.parametrize("name", METHODS)
def test_stored_targets_train_as_the_teacher_does(name, kind, encoder):
    expected, found = both(name, kind, encoder, torch.float64)
    torch.testing.assert_close(found[:2], expected[:2], rtol=1e-12, atol=0)
    assert_same(found[2], expected[2])  # some are above 100: 1e-10 is a few roundings


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_costs_no_more_than_it_rounds(name):
    expected, found = both(name, "tokens", "state", torch.float16)
    torch.testing.assert_close(found[0], expected[0], rtol=2e-3, atol=0)
    assert not torch.equal(found[0], expected[0])
    largest = max(g.abs().max() for g in expected[2])
    assert_same(found[2], expected[2], tolerance=4e-3 * float(largest))


def test_what_stored_targets_can_not_do():
    own, teacher, data = pair()
    stored = BatchWithTargets(*data, teacher.targets(data.x).detach())
    target_source = StoredTargets(teacher.decoder.readout)
    with pytest.raises(UsageError, match=r"no decoder; set --smt\.consistency to 0"):
        descend(FrozenSMT(own, target_source, SMTConfig(consistency=0.5)), stored)
    with pytest.raises(UsageError, match="batch came without targets"):
        descend(UnrollDMT(own, target_source, DMTConfig()), data)


def test_methods_without_a_teacher_take_stored_batches_as_others():
    own, teacher, data = pair()
    found = [
        descend(bptt(own), b).total
        for b in (data, BatchWithTargets(*data, teacher.targets(data.x)))
    ]
    assert torch.equal(*found)


@pytest.mark.parametrize("build", [WindowDMT, UnrollDMT])
def test_what_was_collected_is_not_asked_for_again(build):
    own, teacher, data = pair()
    method = build(own, teacher, DMTConfig(3, distill=0.5))
    assert method.replay_steps == 4
    assert build(own, StoredTargets(teacher.decoder.readout), DMTConfig(3)).replay_steps == 1
    collected = method.collect(data)
    assert not any(part.requires_grad for part in collected)
    expected, wanted = descend(method, data), gradients(own)
    teacher.encoder = None
    found = descend(method, collected)
    assert torch.equal(found.total, expected.total)
    assert_same(gradients(own), wanted, tolerance=0)
