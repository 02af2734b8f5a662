"""Labels of all prefixes are causal, and those of every prefix on its own."""

import pytest
import torch
from oracles import pooled, recurred, rewritten
from tiny import ENCODERS, SIZES, assert_same, gradients, sequence, signature, student, teacher

from pastforward.blocks import rotary_table
from pastforward.config import TeacherConfig
from pastforward.errors import UsageError
from pastforward.memory import rms_norm, take
from pastforward.scan import DiagonalRecurrence, matrix_recurrence
from pastforward.teacher.encoders.base import Encoder
from pastforward.teacher.encoders.heads import LinearHead, RegisterHead
from pastforward.teacher.teacher import build_teacher
from pastforward.types import MemoryShape

KINDS = ("tokens", "vectors")
EXACT = {"rtol": 0, "atol": 1e-12}


def build(name: str, kind: str = "tokens", length: int = 7, slots: int = 3, **changes) -> Encoder:
    what = signature(kind, length)
    return teacher(what, student(what, slots=slots), name, **{"depth": 2} | changes).encoder


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
    # Matrices of a delta memory that reflections nearly erase are a little shorter.
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
def test_empty_is_the_label_of_no_input(name, kind):
    encoder, x = build(name, kind), inputs(kind, 2, 7)
    assert_same_way_back(encoder, encoder.empty(x), encoder.targets(x)[:1, :1])


@pytest.mark.parametrize("name", ENCODERS)
def test_sequences_of_a_batch_do_not_meet(name):
    encoder, x = build(name), inputs("tokens", 3, 7)
    alone = torch.cat([encoder.targets(row[None]) for row in x])
    torch.testing.assert_close(encoder.targets(x), alone, **EXACT)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("times", [[[0], [7]], [[7, 0, 3, 3], [1, 2, 7, 6]]])
def test_at_gathers_labels_and_their_gradients(name, times):
    encoder, x, times = build(name), inputs("tokens", 2, 7), torch.tensor(times)
    targets = encoder.targets(x)
    gathered = torch.stack([targets[b, row] for b, row in enumerate(times)])
    assert_same_way_back(encoder, encoder.at(x, times), gathered)


def assert_same_way_back(encoder: Encoder, found: torch.Tensor, expected: torch.Tensor) -> None:
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
    assert_same_way_back(encoder, encoder.at(x, times), encoder.targets(x)[:, times[0]])


@pytest.mark.parametrize("name", ["linear", "registers", "state"])
@pytest.mark.parametrize("piece", [1, 3, 64, 100])
@pytest.mark.parametrize("length", [1, 63, 65])
def test_recomputed_activations_give_the_same_gradients(name, chunk, length):
    plain, sparing = (build(name, length=length, recompute=n) for n in (None, chunk))
    x = inputs("tokens", 2, length)
    sides = []
    for encoder in (sparing, plain):
        targets = encoder.targets(x)
        targets.cumsum(1).sin().sum().backward()
        sides.append([targets.detach(), *gradients(encoder)])
    assert_same(*sides)


@pytest.mark.parametrize("name", ENCODERS)
def test_longer_than_built_for(name):
    changes = {"window": 20} if name == "window" else {}
    short, long = build(name, length=3, **changes), build(name, length=12, **changes)
    long.load_state_dict(short.state_dict())
    x = inputs("tokens", 2, 12)
    torch.testing.assert_close(short.targets(x), long.targets(x), **EXACT)
    torch.testing.assert_close(short.targets(x)[:, :4], short.targets(x[:, :3]), **EXACT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_window_padding_is_absence(kind, length):
    wide = build("window", kind, window=9)
    exact = build("window", kind, window=length)
    exact.load_state_dict(wide.state_dict())
    x = inputs(kind, 2, length)
    torch.testing.assert_close(wide.targets(x)[:, -1], exact.targets(x)[:, -1], rtol=0, atol=1e-6)


def test_window_sees_the_last_inputs_alone():
    encoder, x = build("window", window=3), inputs("tokens", 2, 7)
    targets = encoder.targets(x)
    for t in range(3, 8):
        torch.testing.assert_close(targets[:, t], encoder.targets(x[:, t - 3 : t])[:, -1], **EXACT)
    other = x.clone()
    other[:, 3] = changed(other[:, 3])
    moved = (encoder.targets(other) - targets).abs().flatten(2).amax((0, 2)) > 1e-6
    assert moved.tolist() == [False] * 4 + [True] * 3 + [False]


@pytest.mark.parametrize(("length", "slots"), SIZES)
def test_register_pool_by_brute_force(length, slots):
    torch.manual_seed(0)
    pool = RegisterHead(8, 2, length, MemoryShape(slots, 4)).double()
    # The tables hold single precision; the twin turns by exact angles.
    h = torch.randn(2, length, 8, dtype=torch.float64, requires_grad=True)
    sides = []
    for read in (pool, lambda h: torch.stack([pooled(pool, row) for row in h])):
        pool.zero_grad()
        out = read(h)
        (slope,) = torch.autograd.grad(out.square().sum(), h, retain_graph=True)
        out.square().sum().backward()
        sides.append([out.detach(), slope, *gradients(pool)])
    assert_same(*sides, tolerance=2e-5)


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 65, 1100])
def test_linear_pool_by_brute_force(length, slots):
    torch.manual_seed(0)
    memory = MemoryShape(slots, 4)
    pool = LinearHead(8, DiagonalRecurrence(memory, 3.0, 18.0), memory).double()
    h = torch.randn(2, length, 8, dtype=torch.float64, requires_grad=True)
    sides = []
    for read in (pool, lambda h: torch.stack([recurred(pool, row) for row in h])):
        pool.zero_grad()
        out = read(h)
        (slope,) = torch.autograd.grad(out.square().sum(), h, retain_graph=True)
        out.square().sum().backward()
        sides.append([out.detach(), slope, *gradients(pool)])
    assert_same(*sides, tolerance=1e-8)


def test_a_memory_ahead_is_that_of_steps_that_write_nothing():
    torch.manual_seed(0)
    recurrence = DiagonalRecurrence(MemoryShape(3, 4), 3.0, 18.0).double()
    written = torch.zeros(2, 40, 12, dtype=torch.float64)
    written[:, 0] = torch.randn(2, 12, dtype=torch.float64)
    m = recurrence(written)
    torch.testing.assert_close(recurrence.ahead(m[:, 0], 39), m[:, 1:], rtol=0, atol=1e-12)
    found = recurrence.ahead(m[:, :30], 3)[:, :, 2]
    torch.testing.assert_close(found, m[:, 3:33], rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 10, 65])
def test_matrix_recurrence_by_brute_force(length):
    torch.manual_seed(0)
    a = (0.4 * torch.randn(2, length, 3, 4, 4, dtype=torch.float64)).requires_grad_()
    w = torch.randn(2, length, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    start = torch.randn(2, 1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    steps = [start[:, 0]]
    for t in range(length):
        steps.append(a[:, t] @ steps[-1] + w[:, t])
    sides = []
    for found in (matrix_recurrence(a, w, start), torch.stack(steps, 1)):
        slopes = torch.autograd.grad(found.sin().sum(), (start, a, w)[: 3 if length else 1])
        sides.append([found.detach(), *slopes])
    assert_same(*sides, tolerance=1e-8)


@pytest.mark.parametrize("turns", [0, 1, 3])
@pytest.mark.parametrize("length", [1, 7, 17])
def test_delta_encoder_by_brute_force(length, householder_steps):
    encoder, x = (
        build("delta", length=length, householder_steps=householder_steps),
        inputs("tokens", 2, length),
    )
    expected = rms_norm(torch.stack([rewritten(encoder, row) for row in x]))
    assert_same_way_back(encoder, encoder.targets(x), expected)


def test_a_delta_memory_finds_the_latest_value_of_every_key():
    encoder = build("delta", length=8, slots=1, key_dim=4, householder_steps=0)
    with torch.no_grad():
        for part in (encoder.moves.down.weight, encoder.key.bias, encoder.value.bias):
            part.zero_()
        encoder.moves.down.bias.zero_()  # amounts of 1: what the key had is gone
        encoder.embed.weight.copy_(torch.eye(5, 8))
        encoder.key.weight.copy_(torch.eye(4, 8))  # symbols 0..3 are keys without anything shared
        encoder.value.weight.copy_(torch.tensor([[0.0, 0, 0, -1, 1, 0, 0, 0]]))
    # 0 then 4, 1 then 3, 0 then 3: what follows 0 is rewritten, 2 keeps what it began with.
    memory = encoder.targets(torch.tensor([[0, 4, 4, 1, 3, 0, 3]]))[0, -1, 0]
    value, start = memory / memory[0].abs(), encoder.start[0]
    assert value[:2].tolist() == pytest.approx([-1.0, -1.0], abs=1e-6)
    assert value[2].item() == pytest.approx(start[2].item(), abs=1e-6)


def test_reflections_keep_what_a_matrix_holds():
    """Amounts of 2 turn it and nothing is lost: memories of a long sequence stay apart."""
    encoder = build("delta", length=400, slots=2, key_dim=4, householder_steps=4)
    with torch.no_grad():
        amounts = encoder.moves.down.bias.view(1, -1)[:, 16:]
        encoder.moves.down.weight[16:] = 0.0
        amounts.copy_(torch.tensor([[60.0, 60.0, 60.0, 60.0, -60.0]]))
    x = inputs("tokens", 1, 400)
    other = x.clone()
    other[:, 0] = changed(x[:, 0])
    apart = (encoder.targets(x) - encoder.targets(other))[0, :, 0].square().mean(-1)
    assert apart[400].item() == pytest.approx(apart[2].item(), rel=1e-6)
    assert apart[2] > 1e-3


def test_a_long_product_is_not_taken_in_half_precision():
    encoder = build("delta", length=300, key_dim=4, householder_steps=4).float()
    x = inputs("tokens", 2, 300)
    with torch.autocast("cpu", torch.bfloat16):
        targets = encoder.targets(x)
    assert torch.equal(targets, encoder.targets(x))


def test_registers_see_where_and_are_told_apart():
    pool = build("registers").pool
    h = torch.ones(1, 6, 8, dtype=torch.float64)
    h[0, 0], h[0, 2] = -1.0, 2.0
    memories = rms_norm(pool(h))
    assert (memories[0, 4] - memories[0, 5]).abs().max() > 1e-6
    assert (memories[:, :, 0] - memories[:, :, 1]).abs().amax(-1).min() > 1e-6


def test_rotary_tables_of_two_lengths_agree():
    assert torch.equal(rotary_table(5, 6), rotary_table(9, 6)[:, :5])


def test_take_by_brute_force():
    values = torch.arange(24).view(2, 4, 3)
    times = torch.tensor([[[3, 0]], [[1, 1]]])
    assert take(values, times).tolist() == [
        [[values[b, t].tolist() for t in row] for row in times[b].tolist()] for b in range(2)
    ]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_parameter_shapes_the_labels(name):
    encoder = build(name)
    targets = encoder.targets(inputs("tokens", 3, 7))
    (targets * torch.linspace(-1, 1, targets.numel()).double().view(targets.shape)).sum().backward()
    for target, p in encoder.named_parameters():
        assert p.grad is not None, target
        assert p.grad.any(), target


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (TeacherConfig(encoder="register"), "did you mean 'registers'"),
        (TeacherConfig(width=12, heads=4), "no multiple of twice its 4 heads"),
        (TeacherConfig(width=8, heads=2, decoder_tokens=5), "cut into 5 decoder tokens"),
        (TeacherConfig(encoder="delta", matrices=3), "fills 3 of K = 2 slots"),
        (TeacherConfig(encoder="delta", key_dim=3), "matrices of 3 rows, D = 4 numbers"),
    ],
)
def test_sizes_that_do_not_fit_are_told(config, says):
    with pytest.raises(UsageError, match=says):
        build_teacher(config, signature(), MemoryShape(2, 4))


def test_the_linear_encoder_wants_pairs():
    with pytest.raises(UsageError, match="in pairs, and D = 3; give an even"):
        build_teacher(TeacherConfig(encoder="linear"), signature(), MemoryShape(2, 3))


@pytest.mark.parametrize("name", ENCODERS)
def test_sharpness_multiplies_what_attention_compares(name):
    """Logits of all attention grow by its square, and nothing else is touched."""
    plain, sharp = build(name), build(name, query_key_scale=3.0)
    for (key, p), q in zip(plain.named_parameters(), sharp.parameters(), strict=True):
        factor = torch.ones_like(p)
        if key.endswith("qkv.weight"):
            factor[: 2 * len(p) // 3] = 3.0
        if key.endswith("query.weight"):
            factor[:] = 3.0
        if key.endswith("key_value.weight"):
            factor[: len(p) // 2] = 3.0
        torch.testing.assert_close(q, factor * p, rtol=1e-6, atol=0)
