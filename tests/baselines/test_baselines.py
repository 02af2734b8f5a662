"""One battery over every baseline: causal, of the size asked for, and the same a step at a time."""

from dataclasses import replace

import pytest
import torch
from baseline_table import CONFIG, HAS_MAMBA, NAMES, RECURRENT, build
from tiny import assert_same, gradients, seeded, sequence, signature, student

from pastforward.baselines import BaselineConfig
from pastforward.baselines.attention import Attention
from pastforward.baselines.base import Baseline, RecurrentBaseline
from pastforward.baselines.build import (
    build_baseline,
    build_output_teacher,
    parameters,
    sized,
    student_parameters,
)
from pastforward.baselines.linear import scan
from pastforward.cells import StudentConfig
from pastforward.errors import UsageError
from pastforward.outputs import parameter_count
from pastforward.recipes import RECIPES
from pastforward.teacher import TeacherConfig
from pastforward.types import Signature, Tokens

KINDS = ("tokens", "vectors")


def inputs(kind: str, length: int, count: int = 2) -> torch.Tensor:
    return sequence(signature(kind).inputs, count, length, seed=3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_it_predicts_every_output_at_once(name, kind, length):
    baseline = build(name, kind)
    found, last = baseline(inputs(kind, length))
    assert last is None
    assert found.shape == (2, length, parameter_count(baseline.signature.outputs))
    assert found.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_later_inputs_move_no_earlier_output(name, kind):
    baseline, x = build(name, kind), inputs(kind, 7)
    other = x.clone()
    other[:, 4] = (x[:, 4] + 1) % 5 if kind == "tokens" else x[:, 4] + 1.0
    moved = (baseline(x)[0] - baseline(other)[0]).abs().amax((0, 2))
    assert float(moved[:4].max()) < 1e-12
    assert (moved[4:] > 1e-9).all()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name):
    baseline = build(name)
    found = baseline(inputs("tokens", 7, count=6))[0]
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
    found, expected = baseline(x)[0], step_by_step(baseline, x)
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
def test_a_delta_layer_forgets_a_key_as_it_writes_it():
    """Head by head and step by step, from the published equations."""
    layer = build("delta").layers[0].recurrence
    u = torch.randn(9, layer.width, generator=seeded(), dtype=torch.float64)
    state, zero = torch.zeros(8, 8, dtype=torch.float64), torch.zeros(layer.width)
    for t in range(9):
        seen = [u[t - lag] if lag <= t else zero for lag in (3, 2, 1, 0)]
        h = sum(tap * one for tap, one in zip(layer.taps, seen, strict=True))
        h = h * torch.sigmoid(h)
        k, v, q = layer.read(h).split(8)
        k, q, b = k / k.norm(), q / q.norm(), 2 * torch.sigmoid(layer.strength(h))
        state = state - b * torch.outer(k, state.T @ k) + b * torch.outer(k, v)
        read = state.T @ q
        read = read / (read.square().mean() + torch.finfo(torch.float64).eps).sqrt()
        expected = layer.out(read)
        torch.testing.assert_close(layer(u[None])[0, t], expected, rtol=0, atol=1e-9)


@torch.no_grad()
def test_a_state_space_layer_is_its_differential_equation():
    """Zero-order hold by brute force: x' = A x + u held for dt, y = 2 Re(C x)."""
    layer = build("s4d").layers[0].recurrence
    u = torch.randn(1, 5, layer.width, generator=seeded(), dtype=torch.float64)
    a = torch.complex(-torch.exp(layer.log_decay), layer.frequency).view(layer.width, -1)
    c, dt = torch.complex(*layer.read), torch.exp(layer.log_dt)[:, None]
    x, chunks, read = torch.zeros_like(a), 1000, []
    for t in range(5):
        for _ in range(chunks):  # midpoints, so that errors fall with the square of a chunk
            middle = x + dt / chunks / 2 * (a * x + u[0, t, :, None])
            x = x + dt / chunks * (a * middle + u[0, t, :, None])
        read.append(2 * (c * x).sum(-1).real)
    mixed = torch.stack(read)[None]
    torch.testing.assert_close(layer(u), layer._leave(mixed, u), rtol=0, atol=1e-4)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", NAMES)
def test_it_has_as_many_parameters_as_the_student(name, recipe):
    student_config = RECIPES.load(recipe)("bptt", "mlp").student
    what = Signature(Tokens(20), Tokens(20), 16)
    config = sized(BaselineConfig(name), what, student_config)
    assert config.width is not None
    wanted = student_parameters(student_config, what)
    found = parameters(build_baseline(config, what))
    # Heads let a width grow by eight at a time.
    assert abs(found / wanted - 1.0) < (0.05 if name in ("s4d", "mingru") else 0.35)


@pytest.mark.parametrize("name", ["s4d", "attention"])
def test_no_other_width_comes_nearer(name):
    what, step = signature(), 1 if name == "s4d" else 8
    student_config = StudentConfig("gru", slots=2, width=12, embed=5, hidden=6)
    config = sized(BaselineConfig(name, hidden=6), what, student_config)
    wanted = student_parameters(student_config, what)

    def off(width: int) -> int:
        return abs(parameters(build_baseline(replace(config, width=width), what)) - wanted)

    nearest = min(range(step, 33, step), key=off)
    assert off(config.width) == off(nearest)


def test_a_width_that_is_given_stays():
    config = BaselineConfig("mingru", width=12)
    assert sized(config, signature(), StudentConfig()) is config


def test_the_size_is_that_of_the_cell_named():
    what = signature()
    for cell in ("gru", "transformer", "own_cells:Plain"):
        config = StudentConfig(cell, slots=2, width=8, embed=3, hidden=6)
        assert student_parameters(config, what) == parameters(student(what, cell, 2, 8))


def test_sizing_leaves_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    sized(BaselineConfig("mingru"), signature(), StudentConfig("elman"))
    assert torch.equal(torch.rand(3), expected)


def test_weights_depend_on_the_generator_of_torch_alone():
    built = []
    for _ in range(2):
        torch.manual_seed(1)
        built.append(build_baseline(CONFIG, signature()).state_dict())
    assert all(torch.equal(built[0][name], built[1][name]) for name in built[0])


def test_the_output_teacher_has_the_teachers_width_and_the_depth_asked_for():
    network = build_output_teacher(TeacherConfig(width=16, heads=2), 3, signature())
    assert isinstance(network, Attention)
    assert (network.width, len(network.transformer.blocks)) == (16, 3)
    assert network.readout.up.out_features == 32


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UsageError, match="There is no baseline 'mingur'; did you mean 'mingru'"):
        build_baseline(replace(CONFIG, name="mingur"), signature())
    with pytest.raises(UsageError, match="did you mean 'mingru'"):
        sized(BaselineConfig("mingur"), signature(), StudentConfig())


def test_a_width_that_heads_can_not_share_is_told():
    with pytest.raises(UsageError, match="width 12 is no multiple of twice its 4 heads"):
        build_baseline(BaselineConfig("attention", width=12), signature())


class Mean(Baseline):
    """A baseline of a user's own: the mean of all inputs so far."""

    def features(self, e):
        return e.cumsum(1) / torch.arange(1, e.shape[1] + 1)[:, None]


def no_baseline(signature, config):
    return torch.nn.Linear(2, 2)


def test_a_baseline_of_the_users_own():
    config = sized(BaselineConfig("test_baselines:Mean"), signature(), StudentConfig("elman"))
    network = build_baseline(config, signature())
    assert isinstance(network, Mean)
    assert network(inputs("tokens", 7))[0].shape == (2, 7, 4)
    with pytest.raises(UsageError, match="'test_baselines:no_baseline' built Linear, which is no"):
        build_baseline(replace(CONFIG, name="test_baselines:no_baseline"), signature())


@pytest.mark.skipif(HAS_MAMBA, reason="transformers is here")
def test_a_missing_library_is_one_sentence():
    with pytest.raises(UsageError, match=r"pip install 'pastforward\[mamba\]'"):
        build("mamba2")
