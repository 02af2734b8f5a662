"""What ships, as a module: shapes, sequences in parts, and the naive loop that it must equal."""

import pytest
import torch
from cell_table import SHAPES
from tiny import assert_same, gradients, seeded, sequence, signature, student

from pastforward.cells import CELLS, StudentConfig
from pastforward.errors import UsageError
from pastforward.outputs import parameter_count
from pastforward.student import Student, build_student
from pastforward.types import Signature, Tokens, Vectors

KINDS = ("tokens", "vectors")
LENGTH = 7


def network(cell: str, kind: str) -> Student:
    return student(signature(kind, LENGTH), cell, *SHAPES.get(cell, (2, 4)))


def inputs(kind: str, length: int = LENGTH, count: int = 3) -> torch.Tensor:
    return sequence(signature(kind).inputs, count, length, seed=3)


def naive(own: Student, x: torch.Tensor, m: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Parameters and all memories, one step after the other."""
    outputs, memories = [], [m]
    for x_t in x.unbind(1):
        memories.append(own.step(memories[-1], x_t))
        outputs.append(own.readout(memories[-1]))
    return torch.stack(outputs, 1), torch.stack(memories, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("length", [1, 2, LENGTH])
def test_it_is_the_loop_of_its_steps(cell, kind, length):
    """Outputs, memories and all gradients."""
    own, x = network(cell, kind), inputs(kind, length)
    (found, last), all_found = own(x), own.rollout(x)
    expected, memories = naive(own, x, own.start(len(x)))
    assert found.shape == (3, length, parameter_count(own.signature.outputs))
    assert last.shape == (3, own.memory.slots, own.memory.width)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(all_found, memories, rtol=0, atol=1e-12)
    torch.testing.assert_close(last, memories[:, -1], rtol=0, atol=1e-12)
    weight = torch.randn(found.shape, generator=seeded(), dtype=found.dtype)
    ((expected * weight).sum() + memories[:, -1].sum()).backward()
    wanted = gradients(own)
    own.zero_grad(set_to_none=True)
    ((found * weight).sum() + last.sum()).backward()
    assert_same(gradients(own), wanted, 1e-11)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("first", [1, 4, LENGTH - 1])
def test_a_sequence_in_parts_is_the_whole(cell, kind, first):
    own, x = network(cell, kind), inputs(kind)
    whole, last = own(x)
    begin, m = own(x[:, :first])
    end, m = own(x[:, first:], m)
    torch.testing.assert_close(torch.cat([begin, end], 1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(m, last, rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_memory_it_starts_from_the_empty_one(kind):
    own, x = network("gru", kind), inputs(kind)
    assert torch.equal(own(x)[0], own(x, own.start(len(x)))[0])
    assert (own.rollout(x)[:, 0] == own.start()).all()


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_the_past_is_in_the_memory_alone(kind):
    """Equal memories go on equally; and later inputs move no earlier output."""
    own, x = network("gru", kind), inputs(kind)
    m = own(x[:, :3])[1]
    other = x.clone()
    other[:, :3] = x[:, [2, 0, 1]]
    assert torch.equal(own(x[:, 3:], m)[0], own(other[:, 3:], m)[0])
    assert (own(other)[0][:, 3:] - own(x)[0][:, 3:]).abs().max() > 1e-9
    other = x.clone()
    other[:, 4] = (x[:, 4] + 1) % 5 if kind == "tokens" else x[:, 4] + 1.0
    moved = (own(other)[0] - own(x)[0]).abs().amax((0, 2))
    assert float(moved[:4].max()) == 0.0
    assert (moved[4:] > 1e-12).all()


def test_gradients_reach_the_memory_that_was_given():
    own, x = network("gru", "tokens"), inputs("tokens")
    m = own.start(len(x)).detach().requires_grad_()
    own(x, m)[0].square().sum().backward()
    assert m.grad is not None
    assert m.grad.flatten(1).any(1).all()


@pytest.mark.parametrize(
    ("read", "written", "fed_back"),
    [
        (Tokens(5), Tokens(5), True),
        (Tokens(6), Tokens(5), True),  # a start symbol of its own
        (Tokens(5), Tokens(6), False),
        (Vectors(2), Vectors(2), True),
        (Vectors(2), Vectors(3), False),
        (Tokens(2), Vectors(2), False),
    ],
)
def test_outputs_that_are_inputs_can_be_fed_back(read, written, fed_back):
    config = StudentConfig("gru", slots=1, width=4, embed=3, hidden=4)
    assert build_student(config, Signature(read, written, 5)).is_autoregressive == fed_back


def test_an_unknown_cell_is_told_before_anything_is_built():
    with pytest.raises(UsageError, match="no cell 'grue'; did you mean 'gru'"):
        build_student(StudentConfig("grue"), signature())
