"""The table of methods: what each row says is what its method does."""

import subprocess
import sys

import pytest
from tiny import batch, descend, gradients, networks, pair, seeded, signature, still

from pastforward.config import RunConfig
from pastforward.errors import UsageError
from pastforward.methods import METHODS, DMTConfig, MethodEntry, TBPTTConfig, facts
from pastforward.methods.base import Method
from pastforward.methods.bptt import TruncatedBPTT
from pastforward.teacher.target_source import StoredTargets
from pastforward.types import BatchWithTargets

RUN = RunConfig(dmt=DMTConfig(window=3), tbptt=TBPTTConfig(window=2))


@pytest.mark.parametrize("name", METHODS)
def test_a_row_says_what_its_method_trains(name):
    own, _, data = pair()
    network, teacher = networks(name, own)
    method = METHODS.load(name)(network, teacher, RUN)
    assert isinstance(method, Method)
    trained, row = {id(module) for module in method.modules()}, facts(name)
    assert (id(network) in trained) == row.trains_network
    assert (id(teacher) in trained) == row.trains_teacher
    descend(method, data)
    assert still(network) != row.trains_network
    assert still(teacher) != row.trains_teacher


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].stored])
def test_a_method_that_trains_from_a_store_needs_no_teacher(name):
    own, teacher, data = pair()
    stored = BatchWithTargets(*data, teacher.targets(data.x).detach())
    source = StoredTargets(teacher.decoder.readout) if facts(name).teacher else None
    descend(METHODS.load(name)(own, source, RUN), stored)
    assert any(g.any() for g in gradients(own))


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].teacher is None])
def test_a_method_without_a_teacher_is_built_without_one(name):
    network, _ = networks(name, pair()[0])
    losses = METHODS.load(name)(network, None, RUN).losses(batch(signature()), seeded())
    assert losses.total.isfinite()


def test_methods_in_windows_take_theirs_from_the_config():
    own, teacher, _ = pair()
    windows = {"teacher-forced": 3, "dmt": 3, "tbptt": 2, "tbptt-stream": 2}
    assert {name for name in METHODS if METHODS[name].windowed} == windows.keys()
    for name, window in windows.items():
        method = METHODS.load(name)(own, teacher, RUN)
        assert (method.window if "tbptt" in name else method.config.window) == window


def test_teacher_forcing_starts_from_targets_with_the_full_dynamics_loss():
    own, teacher, _ = pair()
    run = RunConfig(dmt=DMTConfig(window=3, dynamics=0.2, readout=0.7))
    method = METHODS.load("teacher-forced")(own, teacher, run)
    assert method.config == DMTConfig(window=3, on_policy_fraction=0.0, dynamics=1.0, readout=0.7)


def test_rates_come_from_methods_of_the_table():
    for name, row in METHODS.items():
        assert row.lr_of is None or METHODS[row.lr_of].lr_of is None, name
        assert row.lr_factor > 0
        assert row.summary


def of_the_user_s_own(network, teacher, config):
    return TruncatedBPTT(network, 2)


of_the_user_s_own.facts = MethodEntry("test_methods:of_the_user_s_own", windowed=True)


def without_facts(network, teacher, config):
    return TruncatedBPTT(network, 2)


def test_a_method_of_the_user_s_own():
    name = "test_methods:of_the_user_s_own"
    assert facts(name) == of_the_user_s_own.facts
    own, _, data = pair()
    descend(METHODS.load(name)(own, None, RUN), data)
    assert not still(own)
    with pytest.raises(UsageError, match=r"without_facts.facts is None; set it to a .*MethodEntry"):
        facts("test_methods:without_facts")
    with pytest.raises(UsageError, match="did you mean 'teacher-forced'"):
        facts("teacher-force")


def test_the_table_needs_no_torch():
    code = "import sys, pastforward.methods as m; assert 'torch' not in sys.modules; m"
    subprocess.run([sys.executable, "-c", code], check=True)
