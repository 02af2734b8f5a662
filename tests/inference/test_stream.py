"""A stream does what a rollout does, step by step, and samples by the student's distribution."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from pastforward.cells import StudentConfig
from pastforward.data.codec import PixelCodec, TextCodec
from pastforward.errors import UsageError
from pastforward.inference.sampling import Sampling
from pastforward.inference.stream import Stream
from pastforward.inference.writing import complete_images, continue_text, draw_images
from pastforward.outputs import output_loss
from pastforward.student import Student, build_student
from pastforward.types import Flags, Quantiles, Signature, Tokens, Vectors


def small(inputs=Tokens(5), outputs=Tokens(5), cell="gru", length=9) -> Student:  # noqa: B008
    torch.manual_seed(0)
    config = StudentConfig(cell=cell, slots=2 if cell == "lstm" else 1, width=6, embed=4, hidden=8)
    return build_student(config, Signature(inputs, outputs, length)).double()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm", "mlp"])
def test_stream_is_rollout(cell):
    student = small(cell=cell)
    x = torch.randint(0, 5, (3, 1000), generator=seeded())
    expected = student.rollout(x)
    stream = Stream(student)
    m = stream.start(3)
    for t in range(1000):
        m, parameters = stream.step(m, x[:, t])
        assert torch.allclose(m, expected[:, t + 1], rtol=0, atol=1e-12)
        assert torch.allclose(parameters, student.readout(expected[:, t + 1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [1, 255, 256, 257, 600])
def test_feed_is_steps(length):
    stream = Stream(small())
    x = torch.randint(0, 5, (2, length), generator=seeded())
    m = stream.start(2)
    fed, parameters = stream.feed(m, x)
    for t in range(length):
        m, last = stream.step(m, x[:, t])
    assert torch.allclose(fed, m, rtol=0, atol=1e-12)
    assert torch.allclose(parameters, last, rtol=0, atol=1e-12)


def test_feed_in_two_parts_is_feed():
    stream = Stream(small(Vectors(3), Vectors(3)))
    x = torch.randn(2, 20, 3, generator=seeded(), dtype=torch.float64)
    middle, _ = stream.feed(stream.start(2), x[:, :7])
    m, parameters = stream.feed(middle, x[:, 7:])
    whole = stream.feed(stream.start(2), x)
    assert torch.equal(m, whole[0])
    assert torch.equal(parameters, whole[1])


def test_state_is_a_value():
    stream = Stream(small())
    m = stream.start(2)
    kept, x = m.clone(), torch.tensor([1, 2])
    first, _ = stream.step(m, x)
    assert torch.equal(m, kept)
    assert torch.equal(stream.step(m, x)[0], first)


def test_streams_reset_one_by_one_and_branch():
    stream = Stream(small())
    x = torch.randint(0, 5, (3, 20), generator=seeded())
    m, _ = stream.feed(stream.start(3), x[:, :9])
    m = stream.reset(m, torch.tensor([False, True, False]))
    assert torch.equal(m[1], stream.start(1)[0])
    m, _ = stream.feed(m, x[:, 9:])
    whole, _ = stream.feed(stream.start(3), x)
    late, _ = stream.feed(stream.start(3), x[:, 9:])
    torch.testing.assert_close(m, torch.stack([whole[0], late[1], whole[2]]))
    twice = stream.generate(m[:1].expand(2, -1, -1), 30, seeded())
    assert not torch.equal(twice.y[0], twice.y[1])


def test_a_memory_is_saved_as_the_tensor_it_is(tmp_path):
    stream = Stream(small())
    m, _ = stream.feed(stream.start(2), torch.ones(2, 5, dtype=torch.long))
    save_file({"m": m}, tmp_path / "memory.safetensors")
    back = load_file(tmp_path / "memory.safetensors")["m"]
    first, again = (stream.generate(given, 40, seeded()).y for given in (m, back))
    assert torch.equal(first, again)


@pytest.mark.parametrize("length", [9, 300])
def test_score_by_brute_force(length):
    student = small()
    x, y = torch.randint(0, 5, (2, 3, length), generator=seeded())
    mask = torch.rand(3, length, generator=seeded(1)) < 0.5
    nats = Stream(student).score(x, y, mask)
    assert nats.shape == (3, length)
    for b in range(3):
        m = student.start()
        for t in range(length):
            m = student.step(m, x[b, t])
            logits = student.readout(m).tolist()
            total = math.log(sum(math.exp(v) for v in logits))
            expected = total - logits[y[b, t]] if mask[b, t] else 0.0
            assert float(nats[b, t]) == pytest.approx(expected, abs=1e-10)


def test_score_of_vectors_by_brute_force():
    student = small(Vectors(2), Vectors(2))
    x, y = torch.randn(2, 2, 9, 2, generator=seeded(), dtype=torch.float64)
    nats = Stream(student).score(x, y)
    m = student.start(2)
    for t in range(9):
        m = student.step(m, x[:, t])
        mean, log_std = student.readout(m).chunk(2, -1)
        normal = torch.distributions.Normal(mean, log_std.exp())
        assert torch.allclose(nats[:, t], -normal.log_prob(y[:, t]).sum(-1))


def start_at(stream: Stream, count: int = 2):
    x = torch.arange(count)[:, None] % 5
    return stream.feed(stream.start(count), x)


def test_generate_is_deterministic_given_the_seed():
    stream = Stream(small())
    m, _ = start_at(stream)
    first, again, other = (stream.generate(m, 40, seeded(s)).y for s in (3, 3, 4))
    assert first.shape == (2, 40)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("sampling", [Sampling(temperature=0.0), Sampling(top_k=1)])
def test_generation_at_temperature_0_takes_the_most_likely(sampling):
    stream = Stream(small())
    m, parameters = start_at(stream)
    generated = stream.generate(m, 12, seeded(), sampling)
    for t in range(12):
        token = parameters.argmax(-1)
        assert torch.equal(generated.y[:, t], token)
        m, parameters = stream.step(m, token)
    assert torch.equal(generated.m, m)


def test_generation_goes_on_where_it_stopped():
    stream = Stream(small())
    m, _ = start_at(stream)
    whole = stream.generate(m, 20, seeded())
    generator = seeded()
    first = stream.generate(m, 8, generator)
    second = stream.generate(first.m, 12, generator)
    assert torch.equal(torch.cat([first.y, second.y], 1), whole.y)


def test_top_k_keeps_to_the_k_most_likely():
    stream = Stream(small())
    m, parameters = start_at(stream, 1)
    allowed = set(parameters.topk(2).indices[0].tolist())
    drawn = {int(stream.generate(m, 1, seeded(s), Sampling(5.0, 2)).y) for s in range(60)}
    assert drawn == allowed


def test_frequencies_follow_the_distribution():
    stream = Stream(small())
    m, parameters = start_at(stream, 1)
    y = stream.generate(m.expand(20000, -1, -1), 1, seeded()).y[:, 0]
    share = torch.bincount(y, minlength=5) / 20000
    assert torch.allclose(share.double(), parameters[0].softmax(-1), atol=0.02)


def test_vectors_are_fed_back():
    stream = Stream(small(Vectors(2), Vectors(2)))
    x = torch.zeros(1, 1, 2, dtype=torch.float64)
    m, parameters = stream.feed(stream.start(1), x)
    y = stream.generate(m, 5, seeded(), Sampling(temperature=0.0)).y
    assert y.shape == (1, 5, 2)
    assert torch.equal(y[:, 0], parameters.chunk(2, -1)[0])


def test_no_gradient_is_kept_and_the_student_is_in_evaluation_mode():
    student = small().train()
    stream = Stream(student)
    m, parameters = start_at(stream)
    assert not m.requires_grad
    assert not parameters.requires_grad
    assert not student.training


def test_text_is_continued():
    codec = TextCodec("abcde")
    stream = Stream(small())
    text = continue_text(stream, codec, "abba", 10, seeded(), Sampling(temperature=0.0))
    x, expected = torch.tensor([[0, 1, 1, 0]]), ""
    m, parameters = stream.feed(stream.start(1), x)
    for _ in range(10):
        token = parameters.argmax(-1)
        expected += "abcde"[int(token)]
        m, parameters = stream.step(m, token)
    assert text == expected


def test_images_are_drawn_and_completed():
    codec = PixelCodec(3, 3, 4)
    stream = Stream(small(Tokens(5), Tokens(4)))
    images = torch.randint(0, 4, (6, 9), generator=seeded())
    cold = Sampling(temperature=0.0)
    completed = complete_images(stream, codec, images[:, :4], seeded(), cold)
    assert completed.shape == (6, 9)
    assert torch.equal(completed[:, :4], images[:, :4])
    x = torch.cat([torch.full((6, 1), 4), images[:, :4]], 1)
    _, parameters = stream.feed(stream.start(6), x)
    assert torch.equal(completed[:, 4], parameters.argmax(-1))
    new = draw_images(stream, codec, 6, seeded(), cold)
    assert new.shape == (6, 9)
    _, parameters = stream.step(stream.start(6), torch.full((6,), 4))
    assert torch.equal(new[:, 0], parameters.argmax(-1))
    assert int(new.max()) < 4


def test_bad_input():
    stream = Stream(small())
    m, _ = start_at(stream)
    codec = PixelCodec(3, 3, 4)
    with pytest.raises(UsageError, match="No input"):
        stream.feed(m, torch.zeros(2, 0, dtype=torch.long))
    with pytest.raises(UsageError, match="0 outputs"):
        stream.generate(m, 0, seeded())
    with pytest.raises(UsageError, match="Temperature -1"):
        Sampling(temperature=-1.0)
    with pytest.raises(UsageError, match="Temperature nan"):
        Sampling(temperature=float("nan"))
    with pytest.raises(UsageError, match="top_k 0"):
        Sampling(top_k=0)
    with pytest.raises(UsageError, match="empty prompt"):
        continue_text(stream, TextCodec("abcde"), "", 3, seeded())
    with pytest.raises(UsageError, match="no text to continue"):
        continue_text(stream, codec, "abba", 3, seeded())
    with pytest.raises(UsageError, match="none is left"):
        complete_images(stream, codec, torch.zeros(1, 9, dtype=torch.long), seeded())


@pytest.mark.parametrize(
    ("inputs", "outputs", "sampling"),
    [
        (Tokens(4), Tokens(5), Sampling()),
        (Vectors(2), Tokens(5), Sampling()),
        (Vectors(2), Vectors(3), Sampling()),
        (Vectors(2), Vectors(2), Sampling(top_k=3)),
    ],
)
def test_outputs_that_are_not_inputs(inputs, outputs, sampling):
    student = small(inputs, outputs)
    m = student.start(1)
    with pytest.raises(UsageError, match="can't be fed back"):
        Stream(student).generate(m, 3, seeded(), sampling)


@pytest.mark.parametrize("outputs", [Flags(2), Quantiles(2, (0.1, 0.5, 0.9))])
def test_labels_are_scored_step_by_step_but_not_fed_back(outputs):
    stream, x = (
        Stream(small(Vectors(2), outputs)),
        torch.randn(3, 5, 2, generator=seeded(), dtype=torch.float64),
    )
    y = (torch.randn(3, 5, 2, generator=seeded(1), dtype=torch.float64) > 0).double()
    m, losses = stream.start(3), []
    for x_t, y_t in zip(x.unbind(1), y.unbind(1), strict=True):
        m, parameters = stream.step(m, x_t)
        losses.append(output_loss(outputs, parameters, y_t))
    torch.testing.assert_close(stream.score(x, y), torch.stack(losses, 1))
    with pytest.raises(UsageError, match="outputs can't be fed back; score or step it instead"):
        stream.generate(m, 3, seeded())
