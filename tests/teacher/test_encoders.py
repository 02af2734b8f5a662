"""Target memories of all prefixes are causal, and equal those of every prefix on its own."""

import pytest
import torch
from oracles import delta_memories, linear_memories, register_memories, stack_memories, stack_step
from tiny import ENCODERS, SIZES, assert_same, gradients, sequence, signature, student, teacher

from pastforward.errors import UsageError
from pastforward.memory import rms_norm, take
from pastforward.scan import DiagonalRecurrence
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import DeltaConfig, FourierConfig, StackConfig, WindowConfig
from pastforward.teacher.encoders.base import Encoder
from pastforward.teacher.encoders.causal import LinearHead, RegisterHead
from pastforward.teacher.teacher import build_teacher
from pastforward.types import MemoryShape, Signature, Tokens

KINDS = ("tokens", "vectors")
EXACT = {"rtol": 0, "atol": 1e-12}


def build(name: str, kind: str = "tokens", length: int = 7, slots: int = 3, **changes) -> Encoder:
    what = signature(kind, length)
    return teacher(what, student(what, slots=slots), name, **{"depth": 2} | changes).encoder


def delta(length: int, slots: int = 3, **own: int) -> Encoder:
    return build("delta", length=length, slots=slots, encoder_config=DeltaConfig(**own))


def window(context: int, kind: str = "tokens", length: int = 7) -> Encoder:
    return build("window", kind, length, encoder_config=WindowConfig(context))


def inputs(kind: str, count: int, length: int, seed: int = 3) -> torch.Tensor:
    return sequence(signature(kind).inputs, count, length, seed)


def changed(x: torch.Tensor) -> torch.Tensor:
    return x + 0.5 if x.is_floating_point() else (x + 1) % 5


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("length", "slots"), SIZES)
def test_shape_and_norm(name, kind, length, slots):
    encoder = build(name, kind, length, slots)
    targets = encoder.targets(inputs(kind, 1, length))
    assert targets.shape == (1, length + 1, slots, 4)
    norm = targets.square().mean(-1)
    # Matrices that projections nearly erase are a little smaller, by the epsilon of the norm.
    tolerance = 0.02 if name == "delta" else 1e-3
    torch.testing.assert_close(norm, torch.ones_like(norm), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("length", "slots"), SIZES)
def test_causal(name, kind, length, slots):
    encoder, x = build(name, kind, length, slots), inputs(kind, 2, length)
    targets = encoder.targets(x)
    for t in range(1, length + 1):
        other = x.clone()
        other[:, t - 1 :] = changed(other[:, t - 1 :])
        moved = (encoder.targets(other) - targets).abs().flatten(2).amax((0, 2))
        assert (moved[:t] <= 1e-12).all(), f"x_{t} moves an earlier memory"
        assert (moved[t:] > 1e-6).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_one_input_moves_all_later_memories(name):
    encoder, x = build(name), inputs("tokens", 1, 7)
    targets = encoder.targets(x)
    for t in range(1, 8):
        other = x.clone()
        other[:, t - 1] = changed(other[:, t - 1])
        moved = (encoder.targets(other) - targets).abs().flatten(2).amax((0, 2))
        assert (moved[t:] > 1e-6).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_a_memory_tells_the_order_of_events(name):
    encoder, x = build(name), torch.tensor([[0, 1, 2, 3], [1, 0, 2, 3]])
    one, other = encoder.targets(x)[:, 4]
    assert (one - other).abs().max() > 1e-6


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
def test_all_at_once_is_every_prefix_on_its_own(name, kind):
    encoder, x = build(name, kind), inputs(kind, 2, 7)
    targets = encoder.targets(x)
    for t in range(1, 8):
        alone = encoder.targets(x[:, :t])
        torch.testing.assert_close(targets[:, t], alone[:, -1], **EXACT)
    torch.testing.assert_close(targets[:, 0], targets[:1, 0].expand(2, -1, -1), **EXACT)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_empty_target_is_that_of_no_input(name, kind):
    encoder, x = build(name, kind), inputs(kind, 2, 7)
    assert_same_gradients(encoder, encoder.empty_target(x), encoder.targets(x)[:1, :1])


@pytest.mark.parametrize("name", ENCODERS)
def test_sequences_of_a_batch_do_not_meet(name):
    encoder, x = build(name), inputs("tokens", 3, 7)
    alone = torch.cat([encoder.targets(row[None]) for row in x])
    torch.testing.assert_close(encoder.targets(x), alone, **EXACT)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("times", [[[0], [7]], [[7, 0, 3, 3], [1, 2, 7, 6]]])
def test_targets_at_times_are_those_of_all_times(name, times):
    encoder, x, times = build(name), inputs("tokens", 2, 7), torch.tensor(times)
    targets = encoder.targets(x)
    gathered = torch.stack([targets[b, row] for b, row in enumerate(times)])
    assert_same_gradients(encoder, encoder.targets_at(x, times), gathered)


def assert_same_gradients(encoder: Encoder, found: torch.Tensor, expected: torch.Tensor) -> None:
    """Values and gradients of all parameters."""
    torch.testing.assert_close(found, expected, **EXACT)
    target = torch.linspace(-1, 1, found.numel()).double().view(found.shape)
    sides = []
    for side in (found, expected):
        encoder.zero_grad()
        (side * target).sum().backward()
        sides.append(gradients(encoder))
    assert_same(*sides)


@pytest.mark.parametrize("name", ["linear", "registers", "state"])
@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 63, 65])
def test_memories_of_few_times_are_those_of_all(name, slots, length):
    encoder, x = build(name, length=length, slots=slots), inputs("tokens", 1, length)
    times = torch.arange(0, length + 1, 3)[None]
    assert_same_gradients(encoder, encoder.targets_at(x, times), encoder.targets(x)[:, times[0]])


@pytest.mark.parametrize("name", ["linear", "registers", "state"])
@pytest.mark.parametrize("chunk", [1, 3, 64, 100])
@pytest.mark.parametrize("length", [1, 63, 65])
def test_recomputed_activations_give_the_same_gradients(name, chunk, length):
    plain, recomputing = (build(name, length=length, recompute=n) for n in (None, chunk))
    x = inputs("tokens", 2, length)
    sides = []
    for encoder in (recomputing, plain):
        targets = encoder.targets(x)
        targets.cumsum(1).sin().sum().backward()
        sides.append([targets.detach(), *gradients(encoder)])
    assert_same(*sides)


@pytest.mark.parametrize("name", ENCODERS)
def test_longer_than_built_for(name):
    changes = {"encoder_config": WindowConfig(20)} if name == "window" else {}
    short, long = build(name, length=3, **changes), build(name, length=12, **changes)
    long.load_state_dict(short.state_dict())
    x = inputs("tokens", 2, 12)
    torch.testing.assert_close(short.targets(x), long.targets(x), **EXACT)
    torch.testing.assert_close(short.targets(x)[:, :4], short.targets(x[:, :3]), **EXACT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_window_padding_is_absence(kind, length):
    wide, exact = window(9, kind), window(length, kind)
    exact.load_state_dict(wide.state_dict())
    x = inputs(kind, 2, length)
    torch.testing.assert_close(wide.targets(x)[:, -1], exact.targets(x)[:, -1], rtol=0, atol=1e-6)


def test_window_sees_the_last_inputs_alone():
    encoder, x = window(3), inputs("tokens", 2, 7)
    targets = encoder.targets(x)
    for t in range(3, 8):
        torch.testing.assert_close(targets[:, t], encoder.targets(x[:, t - 3 : t])[:, -1], **EXACT)
    other = x.clone()
    other[:, 3] = changed(other[:, 3])
    moved = (encoder.targets(other) - targets).abs().flatten(2).amax((0, 2)) > 1e-6
    assert moved.tolist() == [False] * 4 + [True] * 3 + [False]


@pytest.mark.parametrize(("length", "slots"), SIZES)
def test_register_head_by_brute_force(length, slots):
    torch.manual_seed(0)
    head = RegisterHead(8, 2, length, MemoryShape(slots, 4)).double()
    # The tables have single precision; the reference uses exact angles.
    h = torch.randn(2, length, 8, dtype=torch.float64, requires_grad=True)
    sides = []
    for read in (head, lambda h: torch.stack([register_memories(head, row) for row in h])):
        head.zero_grad()
        out = read(h)
        (slope,) = torch.autograd.grad(out.square().sum(), h, retain_graph=True)
        out.square().sum().backward()
        sides.append([out.detach(), slope, *gradients(head)])
    assert_same(*sides, tolerance=2e-5)


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 65, 1100])
def test_linear_head_by_brute_force(length, slots):
    torch.manual_seed(0)
    memory = MemoryShape(slots, 4)
    head = LinearHead(8, DiagonalRecurrence(memory, 3.0, 18.0), memory).double()
    h = torch.randn(2, length, 8, dtype=torch.float64, requires_grad=True)
    sides = []
    for read in (head, lambda h: torch.stack([linear_memories(head, row) for row in h])):
        head.zero_grad()
        out = read(h)
        (slope,) = torch.autograd.grad(out.square().sum(), h, retain_graph=True)
        out.square().sum().backward()
        sides.append([out.detach(), slope, *gradients(head)])
    assert_same(*sides, tolerance=1e-8)


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("length", [1, 7, 17])
def test_delta_encoder_by_brute_force(length, steps):
    encoder = delta(length, key_dim=2, householder_steps=steps)
    x = inputs("tokens", 2, length)
    expected = rms_norm(torch.stack([delta_memories(encoder, row) for row in x]))
    assert_same_gradients(encoder, encoder.targets(x), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("length", "slots"), [(1, 1), (2, 3), (33, 2)])
def test_stack_encoder_by_brute_force(kind, length, slots):
    encoder, x = build("stack", kind, length, slots), inputs(kind, 2, length)
    expected = rms_norm(torch.stack([stack_memories(encoder, row) for row in x]))
    assert_same_gradients(encoder, encoder.targets(x), expected)


def test_a_step_of_a_stack_is_a_function_of_memory_and_input():
    """Its states, with their scale, are read from a memory; one step gives the next memory."""
    encoder, x = build("stack", length=9), inputs("tokens", 1, 9)
    targets = encoder.targets(x)[0]
    for m, symbol, expected in zip(targets, x[0], targets[1:], strict=False):
        states = m[:, :-2] / m[:, -1:]
        states = [torch.view_as_complex(slot.view(-1, 2)) for slot in states]
        moved = stack_step(encoder, states, symbol)
        moved = torch.stack([torch.view_as_real(slot).flatten() for slot in moved])
        found = rms_norm(torch.nn.functional.pad(moved, (0, 2), value=1.0))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)  # the norm's epsilon


@pytest.mark.parametrize("name", ["stack", "fourier"])
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_a_slot_needs_room_for_a_scale_and_pairs(name, width):
    with pytest.raises(UsageError, match=f"D = {width}; give a --student"):
        build_teacher(TeacherConfig(name), signature(), MemoryShape(3, width))


@pytest.mark.parametrize("kind", ["tokens", "vectors"])
def test_a_fourier_memory_by_a_plain_loop(kind):
    """s_t = lambda s_{t-1} + gain w(x_t), one complex number a mode."""
    encoder, x = build("fourier", kind, 9), inputs(kind, 1, 9)
    recurrence = encoder.recurrence
    decay = recurrence.log_decay.exp()
    turn = torch.exp(torch.complex(-decay, recurrence.frequency))
    gain = (1 - turn.abs() ** 2).sqrt()
    read = encoder._channels_of(x)[0] @ encoder.write
    states = [torch.view_as_complex(encoder.start.view(-1, 2))]
    for w in torch.view_as_complex(read.view(9, -1, 2)):
        states.append(turn * states[-1] + gain * w)
    slots = torch.view_as_real(torch.stack(states)).flatten(1).view(10, 3, -1)
    expected = rms_norm(torch.nn.functional.pad(slots, (0, 2), value=1.0))
    torch.testing.assert_close(encoder.targets(x)[0], expected, rtol=0, atol=1e-9)


def test_a_stack_begins_with_slow_turns():
    """Initial frequencies of every layer are spread between 0 and the dial, in half turns."""
    for turn in (0.1, 1.0):
        encoder = build("stack", slots=2, encoder_config=StackConfig(initial_turn=turn))
        for layer in encoder.layers:
            found = (layer.recurrence.frequency / torch.pi).tolist()
            assert found == pytest.approx([0.5 * turn])


def test_a_stack_s_layers_have_hidden_units_as_asked():
    for hidden, expected in ((None, 16), (5, 5)):  # twice the teacher's width
        *layers, last = build("stack", encoder_config=StackConfig(hidden=hidden)).layers
        assert [layer.mix.up.out_features for layer in layers] == [expected, expected]
        assert last.mix is None


def test_a_delta_memory_finds_the_latest_value_of_every_key():
    encoder = delta(8, slots=1, key_dim=4)
    with torch.no_grad():
        for part in (encoder.moves.down.weight, encoder.key.bias, encoder.value.bias):
            part.zero_()
        encoder.moves.down.bias.zero_()  # beta = 1: a write erases the old value
        encoder.embed.weight.copy_(torch.eye(5, 8))
        encoder.key.weight.copy_(torch.eye(4, 8))  # symbols 0..3 have orthogonal keys
        encoder.value.weight.copy_(torch.tensor([[0.0, 0, 0, -1, 1, 0, 0, 0]]))
    # 0 then 4, 1 then 3, 0 then 3: the value of 0 is rewritten, that of 2 is still the initial one.
    memory = encoder.targets(torch.tensor([[0, 4, 4, 1, 3, 0, 3]]))[0, -1, 0]
    value, start = memory / memory[0].abs(), encoder.start[0]
    assert value[:2].tolist() == pytest.approx([-1.0, -1.0], abs=1e-6)
    assert value[2].item() == pytest.approx(start[2].item(), abs=1e-6)


def test_reflections_lose_nothing():
    """At beta = 2 memories that differ after x_1 differ as much 400 steps later."""
    encoder = delta(400, slots=2, key_dim=4, householder_steps=4)
    with torch.no_grad():
        beta = encoder.moves.down.bias.view(1, -1)[:, 16:]
        encoder.moves.down.weight[16:] = 0.0
        beta.copy_(torch.tensor([[60.0, 60.0, 60.0, 60.0, -60.0]]))
    x = inputs("tokens", 1, 400)
    other = x.clone()
    other[:, 0] = changed(x[:, 0])
    apart = (encoder.targets(x) - encoder.targets(other))[0, :, 0].square().mean(-1)
    assert apart[400].item() == pytest.approx(apart[2].item(), rel=1e-6)
    assert apart[2] > 1e-3


def test_a_long_product_is_not_computed_in_half_precision():
    encoder = delta(300, key_dim=4, householder_steps=4).float()
    x = inputs("tokens", 2, 300)
    with torch.autocast("cpu", torch.bfloat16):
        targets = encoder.targets(x)
    assert torch.equal(targets, encoder.targets(x))


def test_registers_use_positions_and_differ():
    head = build("registers").head
    h = torch.ones(1, 6, 8, dtype=torch.float64)
    h[0, 0], h[0, 2] = -1.0, 2.0
    memories = rms_norm(head(h))
    assert (memories[0, 4] - memories[0, 5]).abs().max() > 1e-6
    assert (memories[:, :, 0] - memories[:, :, 1]).abs().amax(-1).min() > 1e-6


@pytest.mark.parametrize("name", ENCODERS)
def test_every_parameter_has_a_gradient_from_the_targets(name):
    encoder = build(name)
    targets = encoder.targets(inputs("tokens", 3, 7))
    (targets * torch.linspace(-1, 1, targets.numel()).double().view(targets.shape)).sum().backward()
    for key, p in encoder.named_parameters():
        assert p.grad is not None, key
        assert p.grad.any(), key


@pytest.mark.parametrize("name", ENCODERS)
def test_query_key_scale_multiplies_query_and_key_weights(name):
    """Attention logits grow by its square, and no other weight changes."""
    plain, scaled = build(name), build(name, query_key_scale=3.0)
    for (key, p), q in zip(plain.named_parameters(), scaled.parameters(), strict=True):
        factor = torch.ones_like(p)
        if key.endswith("qkv.weight"):
            factor[: 2 * len(p) // 3] = 3.0
        if key.endswith("query.weight"):
            factor[:] = 3.0
        if key.endswith("key_value.weight"):
            factor[: len(p) // 2] = 3.0
        torch.testing.assert_close(q, factor * p, rtol=1e-6, atol=0)


def test_a_fourier_memory_of_the_whole_sequence_tells_every_input_of_a_short_one():
    """With as many modes as steps and slow decay the transform can be inverted."""
    encoder = build("fourier", "vectors", 4, encoder_config=FourierConfig(5.0, 1.0), slots=6)
    x = inputs("vectors", 1, 4)
    moved = torch.autograd.functional.jacobian(lambda x: encoder.targets(x)[0, 4].flatten(), x)
    assert torch.linalg.matrix_rank(moved.flatten(1)) == x.numel()


def test_a_fourier_memory_of_many_symbols_is_that_of_a_scan():
    what = Signature(Tokens(200), Tokens(4), 9)
    encoder = teacher(what, student(what), "fourier").encoder
    x, times = torch.randint(200, (2, 9)), torch.tensor([[0, 9], [3, 4]])
    assert_same_gradients(encoder, encoder.targets_at(x, times), take(encoder.targets(x), times))
