"""One battery over every peer: causal, of the size asked for, and the same a step at a time."""

from dataclasses import replace

import pytest
import torch
from peer_table import CONFIG, HAS_MAMBA, NAMES, RECURRENT, build
from tiny import assert_same, gradients, seeded, sequence, signature, student

from pastforward.baselines import build_network, wanted_parameters
from pastforward.baselines.base import RecurrentBaseline
from pastforward.baselines.mingru import scan
from pastforward.baselines.sizing import parameters
from pastforward.config import StudentConfig
from pastforward.errors import UsageError
from pastforward.outputs import parameter_count
from pastforward.recipes import RECIPES
from pastforward.types import Signature, Tokens

KINDS = ("tokens", "vectors")


def inputs(kind: str, length: int, count: int = 2) -> torch.Tensor:
    return sequence(signature(kind).inputs, count, length, seed=3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_it_predicts_every_output_at_once(name, kind, length):
    baseline = build(name, kind)
    found = baseline.predict(inputs(kind, length))
    assert found.shape == (2, length, parameter_count(baseline.signature.outputs))
    assert found.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_later_inputs_move_no_earlier_output(name, kind):
    baseline, x = build(name, kind), inputs(kind, 7)
    other = x.clone()
    other[:, 4] = (x[:, 4] + 1) % 5 if kind == "tokens" else x[:, 4] + 1.0
    moved = (baseline.predict(x) - baseline.predict(other)).abs().amax((0, 2))
    assert float(moved[:4].max()) < 1e-12
    assert (moved[4:] > 1e-9).all()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name):
    baseline = build(name)
    found = baseline.predict(inputs("tokens", 7, count=6))
    (found * torch.randn(found.shape, generator=seeded(), dtype=found.dtype)).sum().backward()
    silent = [n for n, p in baseline.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def step_by_step(baseline: RecurrentBaseline, x: torch.Tensor) -> torch.Tensor:
    state, outputs = baseline.start(len(x)), []
    for x_t in x.unbind(1):
        parameters, state = baseline.step(state, x_t)
        outputs.append(parameters)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("length", [1, 2, 63, 65])
def test_all_steps_at_once_are_one_after_the_other(name, kind, length):
    """Outputs and all gradients."""
    baseline, x = build(name, kind), inputs(kind, length)
    found, expected = baseline.predict(x), step_by_step(baseline, x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
    weight = torch.randn(found.shape, generator=seeded(), dtype=found.dtype)
    (expected * weight).sum().backward()
    wanted = gradients(baseline)
    baseline.zero_grad(set_to_none=True)
    (found * weight).sum().backward()
    assert_same(gradients(baseline), wanted, tolerance=1e-9)


@pytest.mark.parametrize("length", [1, 2, 3, 63, 64, 65])
def test_the_scan_is_the_loop(length):
    keep, add = torch.rand(2, 3, length, 4, generator=seeded(), dtype=torch.float64)
    h, expected = torch.zeros(3, 4, dtype=torch.float64), []
    for t in range(length):
        h = keep[:, t] * h + add[:, t]
        expected.append(h)
    torch.testing.assert_close(scan(keep, add), torch.stack(expected, 1), rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_state_space_layer_is_its_differential_equation():
    """Zero-order hold by brute force: x' = A x + u held for dt, y = 2 Re(C x)."""
    layer = build("s4d").layers[0].recurrence
    u = torch.randn(1, 5, layer.width, generator=seeded(), dtype=torch.float64)
    a = torch.complex(-torch.exp(layer.log_decay), layer.frequency).view(layer.width, -1)
    c, dt = torch.complex(*layer.read), torch.exp(layer.log_dt)[:, None]
    x, chunks, read = torch.zeros_like(a), 1000, []
    for t in range(5):
        for _ in range(chunks):  # midpoints, so that errors fall with the square of a piece
            middle = x + dt / chunks / 2 * (a * x + u[0, t, :, None])
            x = x + dt / chunks * (a * middle + u[0, t, :, None])
        read.append(2 * (c * x).sum(-1).real)
    mixed = torch.stack(read)[None]
    torch.testing.assert_close(layer(u), layer._leave(mixed, u), rtol=0, atol=1e-4)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", NAMES)
def test_it_has_as_many_parameters_as_the_student(name, recipe):
    config = replace(RECIPES[recipe]("bptt").student, cell=name)
    what = Signature(Tokens(20), Tokens(20), 16)
    wanted = wanted_parameters(config, what)
    found = parameters(build_network(config, what))
    # Heads let a width grow by eight at a time.
    assert abs(found / wanted - 1.0) < (0.05 if name in RECURRENT else 0.35)


def test_the_size_is_that_of_the_cell_named():
    what = signature()
    for cell in ("gru", "transformer"):
        config = replace(CONFIG, like=cell)
        twin = student(what, cell, config.slots, config.width)
        assert wanted_parameters(replace(config, embed=3), what) == parameters(twin)


def test_building_leaves_random_numbers_alone_but_for_its_weights():
    torch.manual_seed(1)
    first = build_network(CONFIG, signature()).state_dict()
    torch.manual_seed(1)
    resume_command = build_network(CONFIG, signature()).state_dict()
    assert all(torch.equal(first[name], resume_command[name]) for name in first)


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'mingru'"):
        build_network(StudentConfig("mingur"), signature())


@pytest.mark.skipif(HAS_MAMBA, reason="transformers is here")
def test_a_missing_library_is_one_sentence():
    with pytest.raises(UsageError, match=r"pip install 'pastforward\[mamba\]'"):
        build("mamba2")
