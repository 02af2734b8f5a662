"""`torch.nn.RNN`, `GRU` and `LSTM` as cells: the module's own figures, and fused against serial."""

import pytest
import torch
from cell_table import INPUTS
from oracles import through_time
from tiny import assert_same, batch, descend, gradients, seeded, signature
from torch import Tensor, nn

from pastforward.cells import CELLS, StudentConfig, TorchConfig
from pastforward.cells.build import build_cell
from pastforward.cells.torch_nn import TorchCell
from pastforward.errors import UsageError
from pastforward.memory import rollout
from pastforward.methods.bptt import TruncatedBPTT
from pastforward.student import Student, build_student
from pastforward.teacher import TeacherConfig
from pastforward.teacher.teacher import Teacher, build_teacher
from pastforward.training import FitConfig
from pastforward.training.optimiser import Muon, Optimiser
from pastforward.types import MemoryShape

MODULES = {"torch-rnn": nn.RNN, "torch-gru": nn.GRU, "torch-lstm": nn.LSTM}
DEEP = [(name, layers) for name in MODULES for layers in (1, 2, 3)]
SLOTS, WIDTH, COUNT = 6, 4, 3


def build(name: str, layers: int = 1, scale: float = 0.25) -> TorchCell:
    torch.manual_seed(0)
    cell = build_cell(name, MemoryShape(SLOTS, WIDTH), INPUTS, TorchConfig(layers, scale))
    assert isinstance(cell, TorchCell)
    return cell.double()


def given(length: int) -> tuple[Tensor, Tensor]:
    m = torch.randn(COUNT, SLOTS, WIDTH, generator=seeded(), dtype=torch.float64)
    e = torch.randn(COUNT, length, INPUTS, generator=seeded(1), dtype=torch.float64)
    return m.requires_grad_(), e.requires_grad_()


def states(cell: TorchCell, m: Tensor) -> tuple[Tensor, ...]:
    """h, or h and c, as the module takes them: `[L, B, H]`."""
    parts = (cell.scale * m.detach()).reshape(COUNT, -1, cell.hidden).transpose(0, 1)
    return tuple(part.contiguous() for part in parts.chunk(2 if cell.states > 1 else 1))


@pytest.mark.parametrize(("name", "layers"), [*DEEP, ("torch-gru", 4)])
def test_steps_are_those_of_the_users_module(name, layers):
    cell = build(name, layers)
    size = SLOTS * WIDTH // (layers * (2 if name == "torch-lstm" else 1))
    module = MODULES[name](INPUTS, size, layers, batch_first=True).double()
    cell.net.load_state_dict(module.state_dict())
    m, e = given(7)
    begin = states(cell, m)
    found, last = module(e, begin if len(begin) > 1 else begin[0])
    memories = rollout(cell, m, e)
    shown = cell.scale * memories[:, 1:].flatten(2)[..., cell.visible]
    torch.testing.assert_close(shown, found, rtol=0, atol=1e-14)
    its = last if cell.states > 1 else [last]
    for ours, wanted in zip(states(cell, memories[:, -1]), its, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("name", "layers"), DEEP)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_fused_is_serial_in_values_and_all_gradients(name, layers, length):
    cell = build(name, layers)
    m, e = given(length)
    weight = torch.randn(COUNT, length + 1, SLOTS, WIDTH, generator=seeded(2), dtype=torch.float64)

    def differentiate(memories, visible, last):
        cell.zero_grad()
        loss = (memories * weight).sum() + visible.square().sum() + (last * weight[:, 0]).sum()
        by_given = torch.autograd.grad(loss, [m, e], retain_graph=True)
        loss.backward()
        return [*by_given, *gradients(cell)]

    serial = rollout(cell, m, e)
    expected = serial, serial[:, 1:].flatten(2)[..., cell.visible], serial[:, -1]
    found = cell.rollout(m, e), *cell.outputs(m, e)
    for ours, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-13)
    assert_same(differentiate(*found), differentiate(*expected), 1e-11)


@pytest.mark.parametrize("window", [2, 7])
@pytest.mark.parametrize(("name", "layers"), DEEP)
def test_bptt_is_fused_and_is_autograd_through_the_loop(name, layers, window, monkeypatch):
    torch.manual_seed(1)
    config = StudentConfig(name, SLOTS, WIDTH, 3, 6, TorchConfig(layers))
    own, data = build_student(config, signature()).double(), batch(signature())
    expected = through_time(own, data, window)
    expected.backward()
    wanted = gradients(own)
    method = TruncatedBPTT(own, window)
    monkeypatch.setattr(own.cell, "transition", None)  # no single step is taken
    losses = descend(method, data)
    torch.testing.assert_close(losses.total, expected)
    assert_same(gradients(own), wanted)


@pytest.mark.parametrize(("name", "layers"), DEEP)
def test_the_readout_reads_what_the_module_returns(name, layers):
    own = Student(signature(), build(name, layers), hidden=6).double()
    m, _ = given(1)
    (by_memory,) = torch.autograd.grad(own.readout(m).square().sum(), m)
    read = by_memory.flatten(1).any(0)
    first, hidden = (layers - 1) * own.cell.hidden, own.cell.hidden
    assert read.nonzero().flatten().tolist() == list(range(first, first + hidden))


@pytest.mark.parametrize("name", MODULES)
def test_the_scale_is_a_unit_and_no_other_network(name):
    m, e = given(5)
    plain, small = build(name, 2, 1.0), build(name, 2, 0.25)
    assert torch.equal(plain.rollout(m, e), 0.25 * small.rollout(4 * m, e))
    assert torch.equal(plain.outputs(m, e)[0], 0.25 * small.outputs(4 * m, e)[0])


@pytest.mark.parametrize("name", MODULES)
def test_the_empty_memory_is_free(name):
    own = Student(signature(), build(name), hidden=6)
    with torch.no_grad():
        own.empty.fill_(0.3)
    assert (own.start(2) == 0.3).all()


@pytest.mark.parametrize("name", MODULES)
def test_their_matrices_are_weights_of_linear_maps_to_the_optimiser(name):
    cell = build(name, 2)
    parts = Optimiser([cell], FitConfig())._parts
    by_muon = {p for part in parts if isinstance(part, Muon) for g in part.param_groups
               for p in g["params"]}  # fmt: skip
    assert by_muon == {p for n, p in cell.named_parameters() if "weight" in n}


@pytest.mark.parametrize(
    ("name", "size", "layers", "says"),
    [
        ("torch-gru", (1, 10), 3, "1 x 10 numbers can't be cut into h of 3 layers; let 3 divide"),
        ("torch-lstm", (1, 5), 1, "can't be cut into h and c of 1 layers; let 2 divide --student"),
        ("torch-rnn", (1, 2), 4, "can't be cut into h of 4 layers"),
    ],
)
def test_a_memory_that_cannot_be_cut_is_told(name, size, layers, says):
    with pytest.raises(UsageError, match=says):
        build_cell(name, MemoryShape(*size), INPUTS, TorchConfig(layers))


@pytest.mark.parametrize(
    ("dials", "says"),
    [({"layers": 0}, "--cell.layers is 0"), ({"scale": 0.0}, "--cell.scale is 0.0")],
)
def test_dials_out_of_range_are_told(dials, says):
    with pytest.raises(UsageError, match=says):
        TorchConfig(**dials)


def test_each_is_a_row_of_the_table():
    assert all(CELLS[name].config is TorchConfig for name in MODULES)


def test_targets_of_an_lstm_are_memories_that_it_holds():
    cell = build("torch-lstm", layers=2)
    free, _ = given(1)
    assert cell.reach is not None
    found = cell.reach(free.detach())
    h, c = states(cell, found)
    free_h, free_c = states(cell, free)
    torch.testing.assert_close(c, free_c, rtol=0, atol=1e-14)
    assert (h.abs() < c.tanh().abs()).all()
    assert (h * c > 0).all()
    assert ((free_h * free_c) < 0).any(), "free targets are none"
    assert build("torch-gru").reach is None


def test_a_teacher_gives_what_the_cell_can_hold():
    what = signature()
    student = build_student(StudentConfig("torch-lstm", 2, 4, 3, 6), what).double()
    config = TeacherConfig("registers", width=8, depth=1, heads=2, decoder_depth=1)
    torch.manual_seed(0)
    free = build_teacher(config, what, student.memory).double()
    bound = Teacher(what, student.memory, free.encoder, free.decoder, student.cell.reach)
    data, reach = batch(what), student.cell.reach
    assert reach is not None
    times = torch.tensor([[0, 3], [1, 2], [7, 5]])
    for found, expected in (
        (bound.targets(data.x), free.targets(data.x)),
        (bound.targets_of(data), free.targets_of(data)),
        (bound.targets_at_times(data, times), free.targets_at_times(data, times)),
        (bound.empty_target_of(data), free.empty_target_of(data)),
    ):
        torch.testing.assert_close(found, reach(expected), rtol=0, atol=1e-12)
        assert not torch.equal(found, expected)
