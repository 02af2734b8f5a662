"""Numbers at the edge: a right figure or one line, never a NaN, a wrong token or a traceback."""

import json
import math

import numpy as np
import pytest
import torch

from pastforward.blocks import embedding
from pastforward.cells import CELLS, StudentConfig
from pastforward.cells.build import build_cell
from pastforward.data.inputs import Moments
from pastforward.data.labelled import labelled
from pastforward.data.series import SeriesSource
from pastforward.errors import UsageError
from pastforward.files import write_json
from pastforward.inference.sampling import PLAIN, Sampling, draw, noise
from pastforward.inference.stream import Stream
from pastforward.memory import rms_norm
from pastforward.student import build_student
from pastforward.training.folder import MetricsLog
from pastforward.types import MemoryShape, Signature, Tokens, Vectors


def token(logits, u: float, sampling: Sampling = PLAIN, dtype=torch.float32) -> int:
    given = torch.tensor([logits], dtype=dtype)
    numbers = torch.full((1,), u)
    temperature = torch.tensor(sampling.temperature)
    return int(draw(Tokens(given.shape[-1]), given, numbers, temperature, sampling))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("u", [0.999, 1.0 - 2**-24, 1.0])
def test_a_number_near_1_draws_a_token_that_exists(dtype, u):
    assert token([0.1 * i for i in range(7)], u, dtype=dtype) == 6
    assert token([9.0, 9.0, -math.inf], u, dtype=dtype) == 1


def test_uniform_numbers_stay_below_1_in_any_precision():
    like = torch.zeros((), dtype=torch.bfloat16)
    u = noise(Tokens(3), (20_000,), torch.Generator().manual_seed(0), like)
    assert float(u.max()) < 1.0


@pytest.mark.parametrize("u", [0.0, 0.5, 0.9, 1.0])
def test_exactly_k_tokens_are_kept_where_they_tie(u):
    assert token([3.0, 3.0, 3.0, 0.0], u, Sampling(top_k=1)) == 0
    assert token([0.0, 3.0, 3.0, 3.0], u, Sampling(top_k=2)) in (1, 2)
    assert token([1.0] * 40, u, Sampling(top_k=3)) in (0, 1, 2)


def test_a_top_p_below_all_numbers_keeps_the_most_likely():
    assert token([1.0, 2.0, 0.0], 0.9, Sampling(top_p=1e-300)) == 1


@pytest.mark.parametrize("temperature", [1e-46, 1e-38, 1e-30, 1e38])
def test_an_extreme_temperature_draws_by_the_distribution(temperature):
    found = {token([1.0, 9.0, 2.0], u, Sampling(temperature)) for u in (0.0, 0.5, 0.999)}
    assert found == ({0, 1, 2} if temperature > 1 else {1})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_finite_are_refused(bad, temperature):
    assert token([1.0, bad, 0.0], 0.5, Sampling(temperature)) == -1
    student = small(Tokens(3), Tokens(3))
    with torch.no_grad():
        student.readout.net.down.bias[1] = bad
    stream = Stream(student)
    with pytest.raises(UsageError, match="became NaN or infinite, so nothing can be drawn"):
        stream.generate(stream.start(1), 3, torch.Generator(), Sampling(temperature))


def small(inputs, outputs, cell: str = "gru"):
    torch.manual_seed(0)
    config = StudentConfig(cell=cell, slots=2, width=8, embed=4, hidden=8)
    return build_student(config, Signature(inputs, outputs, 5))


def plain_norm(m):
    return m * torch.rsqrt(m.square().mean(-1, keepdim=True) + 1e-6)


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 30.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rms_norm_of_ordinary_numbers_is_the_plain_one_and_so_is_its_gradient(size, dtype):
    m = size * torch.randn(5, 3, 16, generator=torch.Generator().manual_seed(0), dtype=dtype)
    own, plain = m.clone().requires_grad_(), m.clone().requires_grad_()
    weights = torch.linspace(-1, 1, 16, dtype=dtype)
    (rms_norm(own) * weights).sum().backward()
    (plain_norm(plain) * weights).sum().backward()
    torch.testing.assert_close(rms_norm(m), plain_norm(m), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(own.grad, plain.grad, rtol=1e-6, atol=1e-6 / size)


@pytest.mark.parametrize("size", [1e10, 1e19, 1e30, 3e38])
def test_rms_norm_of_any_finite_numbers_keeps_their_direction(size):
    m = size * torch.tensor([[1.0, -1.0, 0.5, 0.25]], dtype=torch.float64).float()
    m.requires_grad_()
    found = rms_norm(m)
    torch.testing.assert_close(found.detach().double(), plain_norm(m.detach().double()))
    found.sum().backward()
    assert m.grad is not None
    assert m.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rms_norm_in_half_precision(dtype):
    for size in (0.01, 1.0, 100.0, 60_000.0):
        m = (size * torch.tensor([1.0, -1.0, 0.5, 0.25])).to(dtype)
        assert torch.allclose(rms_norm(m).float(), plain_norm(m.double()).float(), rtol=2e-2)


@pytest.mark.parametrize("cell", sorted(CELLS))
@pytest.mark.parametrize("size", [1e19, 1e30, 1e38, -3e38])
def test_a_huge_input_leaves_no_trace_that_is_not_finite(cell, size):
    student = small(Vectors(2), Vectors(2), cell)
    stream = Stream(student)
    m, parameters = stream.feed(stream.start(1), torch.full((1, 1, 2), size))
    assert m.isfinite().all()
    assert parameters.isfinite().all()
    m, parameters = stream.feed(m, torch.randn(1, 30, 2))
    assert m.isfinite().all()
    assert parameters.isfinite().all()


def test_a_huge_embedded_input_of_the_transformer_cell():
    cell = build_cell("transformer", MemoryShape(2, 8), 4)
    assert cell(torch.randn(3, 2, 8), torch.full((3, 4), 1e38)).isfinite().all()


def test_embedding_of_ordinary_vectors_is_linear():
    layer = embedding(Vectors(3), 5)
    assert isinstance(layer, torch.nn.Linear)
    x = 1e6 * torch.randn(7, 3)
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))


def rows(values) -> np.ndarray:
    steady = np.sin(np.arange(len(values)))
    return np.stack([steady, np.asarray(values, np.float64)], 1)


@pytest.mark.parametrize("tiny", [1e-13, 1e-170, 1e-200, 1e-300, 5e-324])
def test_a_column_of_tiny_numbers_is_standardised(tiny):
    source = SeriesSource("s", rows([0.0, tiny] * 300), ("a", "b"))
    x = source.batch(0, 0, 8).x
    assert x.isfinite().all()
    assert 0.5 < float(x[..., 1].max() - x[..., 1].min()) < 3.0
    assert all(map(math.isfinite, source.references().values()))


@pytest.mark.parametrize("tiny", [1e-13, 1e-200, 5e-324])
def test_a_channel_of_tiny_numbers_is_standardised(tiny):
    moments = Moments(2)
    moments.add(rows([0.0, tiny] * 300))
    mean, std = moments.read()
    assert np.ptp((np.array([0.0, tiny]) - mean[1]) / std[1]) > 0.5


def test_channels_that_never_change_are_left_as_they_are():
    moments = Moments(3)
    for value in (0.1, 0.1, 0.1):
        moments.add(np.full((7, 3), value) * [1.0, 1e9, 0.0])
    assert moments.read()[1] == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("place", [-1, -60])
@pytest.mark.parametrize("value", [1e50, -1e20, 1e99])
def test_a_held_out_row_far_from_all_training_rows_is_refused(place, value):
    values = np.cos(np.arange(1000.0))
    values[place] = value
    with pytest.raises(UsageError, match=r"row \d+, column 'b'.*standard deviations"):
        SeriesSource("s", rows(values), ("a", "b"))


@pytest.mark.parametrize("what", ["x", "y"])
def test_held_out_sequences_far_from_all_training_ones_are_refused(what):
    random = np.random.default_rng(0)
    train, test = ((random.normal(size=(30, 4, 2)), random.normal(size=30)) for _ in range(2))
    test[what == "y"].flat[3] = -1e50
    with pytest.raises(UsageError, match=rf"test {what} holds -1e\+50 in channel .* deviations"):
        labelled(*train, test=test)


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def test_all_json_is_strict(tmp_path):
    bad = {"a": math.nan, "b": [math.inf, {"c": -math.inf}], "d": (1.0, math.nan), "e": 2}
    write_json(tmp_path / "a.json", bad)
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append({"a": math.nan, "step": 1, "seconds": 0.5})
    log.truncate(1)
    texts = (tmp_path / "a.json").read_text(), log.path.read_text()
    whole, row = (json.loads(text, parse_constant=refuse) for text in texts)
    assert whole == {"a": None, "b": [None, {"c": None}], "d": [1.0, None], "e": 2}
    assert row == {"a": None, "step": 1, "seconds": 0.5}
