"""What each output of the decoder depends on, and what it predicts."""

import pytest
import torch
from tiny import ENCODERS, batch, seeded, sequence, signature, student, teacher

from pastforward.errors import UsageError
from pastforward.teacher import TeacherConfig
from pastforward.teacher.decoder import Decoder, futures, input_futures
from pastforward.teacher.teacher import build_teacher
from pastforward.types import Batch, MemoryShape, Signature, Vectors

KINDS = ("tokens", "vectors")
EXACT = {"rtol": 0, "atol": 1e-12}


def build(
    kind: str = "tokens", length: int = 7, slots: int = 2, encoder: str = "registers"
) -> Decoder:
    what = signature(kind, length)
    return teacher(what, student(what, slots=slots), encoder).decoder


def arguments(kind: str, count: int, anchors: int, future: int, slots: int = 2):
    x = sequence(signature(kind).inputs, count * anchors, future - 1, 4)
    m = torch.randn(count, anchors, slots, 4, generator=seeded(), dtype=torch.float64)
    return m, x.view(count, anchors, *x.shape[1:])


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("future", [1, 2, 7])
def test_an_output_sees_the_inputs_before_it_and_no_other(kind, slots, future, encoder):
    decoder = build(kind, slots=slots, encoder=encoder)
    m, x = arguments(kind, 1, 2, future, slots)
    out = decoder(m, x)
    assert out.shape == (1, 2, future, 4)
    for step in range(future - 1):  # x_{t+1+step}: seen from output j = step + 2 on
        other = x.clone()
        other[:, :, step] = (
            other[:, :, step] + 0.5 if kind == "vectors" else (x[:, :, step] + 1) % 5
        )
        moved = (decoder(m, other) - out).abs().amax((0, 1, 3))
        assert (moved[: step + 1] <= 1e-12).all()
        assert (moved[step + 1 :] > 1e-6).all()


@pytest.mark.parametrize("future", [1, 2, 7])
def test_every_output_sees_the_memory(future):
    decoder = build()
    m, x = arguments("tokens", 1, 1, future)
    moved = (decoder(m + 0.1, x) - decoder(m, x)).abs().amax((0, 1, 3))
    assert (moved > 1e-6).all()


@pytest.mark.parametrize("future", [1, 2, 7])
def test_the_first_output_is_what_the_readout_reads(future):
    decoder = build()
    m, x = arguments("tokens", 2, 3, future)
    torch.testing.assert_close(decoder(m, x)[:, :, 0], decoder.readout(m), **EXACT)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_anchors_and_sequences_do_not_meet(encoder):
    decoder = build(encoder=encoder)
    m, x = arguments("tokens", 2, 3, 5)
    out = decoder(m, x)
    for b in range(2):
        for a in range(3):
            alone = decoder(m[b : b + 1, a : a + 1], x[b : b + 1, a : a + 1])
            torch.testing.assert_close(out[b : b + 1, a : a + 1], alone, **EXACT)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_shorter_future_is_a_part_of_a_longer_one(encoder):
    decoder = build(encoder=encoder)
    m, x = arguments("tokens", 2, 3, 12)
    out = decoder(m, x)
    for future in range(1, 13):
        torch.testing.assert_close(decoder(m, x[:, :, : future - 1]), out[:, :, :future], **EXACT)


@pytest.mark.parametrize("name", ENCODERS)
def test_from_encoder_to_output_no_input_leaks_into_its_own_prediction(name):
    """y_t is x_{t+1}: output j from m_t is about x_{t+j}, and may see x_1..x_{t+j-1} alone."""
    what = Signature(Vectors(2), Vectors(2), 5)
    built = teacher(what, student(what), name)
    x = torch.randn(1, 5, 2, generator=seeded(), dtype=torch.float64)
    data = Batch(x, x, torch.ones(1, 5, dtype=torch.bool))

    for t in range(1, 6):
        times = torch.tensor([[t]])

        def outputs(x, times=times):
            m = built.encoder.targets_at(x, times)
            return built.decoder(m, futures(data._replace(x=x), times, 5).x)[0, 0]

        slope = torch.autograd.functional.jacobian(outputs, x)  # [F, 4, 1, T, 2]
        seen = slope.abs().amax((1, 2, 4)) > 1e-9
        for j in range(1, 5 - t + 2):
            assert seen[j - 1].tolist() == [s <= t + j - 1 for s in range(1, 6)], (t, j)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("future", [1, 2, 7, 9])
def test_futures_by_brute_force(kind, future):
    data = batch(signature(kind, 7))
    times = torch.tensor([[1, 4], [7, 2], [6, 6]])
    found = futures(data, times, future)
    assert found.x.shape[:3] == (3, 2, future - 1)
    assert found.y.shape[:3] == found.mask.shape == (3, 2, future)
    for b in range(3):
        for a in range(2):
            t = int(times[b, a])
            for j in range(1, future + 1):
                inside = t + j - 1 <= 7
                counts = inside and bool(data.mask[b, t + j - 2])
                assert bool(found.mask[b, a, j - 1]) == counts
                if inside:
                    assert torch.equal(found.y[b, a, j - 1], data.y[b, t + j - 2])
                if j > 1 and inside:
                    assert torch.equal(found.x[b, a, j - 2], data.x[b, t + j - 2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("future", [1, 2, 7, 9])
def test_input_futures_by_brute_force(kind, future):
    data = batch(signature(kind, 7))
    mask = data.mask.clone()
    mask[1, 5:], mask[1, 4] = False, True  # the second sequence has 5 steps
    data, lengths = data._replace(mask=mask), (7, 5, 7)
    times = torch.tensor([[1, 4], [7, 2], [6, 6]])
    x, counts = input_futures(data, times, future)
    assert x.shape[:3] == counts.shape == (3, 2, future)
    for b in range(3):
        for a in range(2):
            for j in range(1, future + 1):
                t = int(times[b, a]) + j
                assert bool(counts[b, a, j - 1]) == (t <= lengths[b])
                if t <= lengths[b]:
                    assert torch.equal(x[b, a, j - 1], data.x[b, t - 1])


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("future", [1, 2, 5])
def test_an_input_is_predicted_from_those_before_it(kind, encoder, future):
    what = signature(kind)
    plain, both = (teacher(what, student(what), encoder, inputs=n).decoder for n in (False, True))
    m, x = arguments(kind, 1, 2, future)
    outputs, found = both.with_inputs(m, x)
    assert torch.equal(outputs, plain(m, x))
    assert torch.equal(both(m, x), outputs)
    assert found.shape == (1, 2, future, 5 if kind == "tokens" else 6)
    for step in range(future - 1):  # x_{t+1+step}: seen from the prediction of the next on
        other = x.clone()
        other[:, :, step] = (
            other[:, :, step] + 0.5 if kind == "vectors" else (x[:, :, step] + 1) % 5
        )
        moved = (both.with_inputs(m, other)[1] - found).abs().amax((0, 1, 3))
        assert (moved[: step + 1] <= 1e-12).all()
        assert (moved[step + 1 :] > 1e-6).all()


def test_a_decoder_of_outputs_alone_says_what_it_lacks():
    with pytest.raises(UsageError, match="decodes_inputs=True"):
        build().with_inputs(*arguments("tokens", 1, 1, 3))


def test_the_decoder_reads_no_outputs():
    data = batch(signature("vectors"))
    times = torch.tensor([[1, 4], [7, 2], [6, 6]])
    other = data._replace(y=data.y + 1.0)
    assert torch.equal(futures(other, times, 7).x, futures(data, times, 7).x)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_parameter_has_a_gradient_from_the_future(encoder):
    decoder = build(encoder=encoder)
    out = decoder(*arguments("tokens", 2, 3, 7))
    (out * torch.linspace(-1, 1, out.numel()).double().view(out.shape)).sum().backward()
    for key, p in decoder.named_parameters():
        assert p.grad is not None, key
        assert p.grad.any(), key


@pytest.mark.parametrize("width", [1, 6, 12, 17])
def test_one_slot_of_any_width_can_be_decoded(width):
    built = build_teacher(TeacherConfig("state", width=16), signature(), MemoryShape(1, width))
    data = batch(signature())
    m = built.targets(data.x)
    assert m.shape[-2:] == (1, width)
    assert built.decoder(m[:, :1], data.x[:, None]).shape == (3, 1, 8, 4)
