"""One battery over every row of the table, and over modules of a user's own."""

import own_cells
import pytest
import torch
from cell_table import INPUTS, NAMES, build
from tiny import batch, descend, gradients, networks, seeded, signature, still
from torch import nn
from torch.nn import functional as F

from pastforward.cells import CELLS, MLPConfig, StudentConfig, TanhConfig, TransformerCellConfig
from pastforward.cells.base import Cell
from pastforward.cells.build import WrappedCell, build_cell, wrap
from pastforward.cells.gru import GRU
from pastforward.cells.lstm import LSTM
from pastforward.config import RunConfig
from pastforward.errors import UsageError
from pastforward.memory import rms_norm, rollout
from pastforward.methods import METHODS, DMTConfig, SMTConfig
from pastforward.student import Student, build_student
from pastforward.types import MemoryShape


def arguments(cell: Cell, *leading: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (*leading, cell.memory.slots, cell.memory.width)
    m = torch.randn(shape, generator=seeded(), dtype=torch.float64)
    e = torch.randn((*leading, INPUTS), generator=seeded(1), dtype=torch.float64)
    return rms_norm(m), e


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("leading", [(), (1,), (4,), (2, 3), (2, 1, 3)])
def test_any_leading_axes_are_that_many_single_steps(name, leading):
    cell = build(name)
    m, e = arguments(cell, *leading)
    found = cell(m, e)
    assert found.shape == m.shape
    rows, inputs = m.reshape(-1, *m.shape[-2:]), e.reshape(-1, INPUTS)
    single = torch.stack([cell(*row) for row in zip(rows, inputs, strict=True)])
    torch.testing.assert_close(found.reshape_as(single), single, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_all_times_at_once_is_the_loop(name, length):
    cell = build(name)
    m, e = arguments(cell, 2, length)
    memories = rollout(cell, m[:, 0], e)
    assert memories.shape == (2, length + 1, *m.shape[-2:])
    torch.testing.assert_close(cell(memories[:, :-1], e), memories[:, 1:], rtol=0, atol=1e-12)
    assert torch.equal(memories[:, 0], m[:, 0])


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("torch-")])
def test_slots_have_unit_norm(name):
    cell = build(name)
    m, e = arguments(cell, 5)
    norm = cell(m, 10 * e).square().mean(-1)
    torch.testing.assert_close(norm, torch.ones_like(norm), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_pure(name):
    cell = build(name)
    m, e = arguments(cell, 3)
    kept = m.clone(), e.clone()
    assert torch.equal(cell(m, e), cell(m, e))
    assert torch.equal(cell.eval()(m, e), cell.train()(m, e))
    assert torch.equal(m, kept[0])
    assert torch.equal(e, kept[1])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_memory_input_and_every_parameter(name):
    cell = build(name)
    m, e = (a.requires_grad_() for a in arguments(cell, 4))
    target = torch.randn(m.shape, generator=seeded(5), dtype=torch.float64)
    (cell(m, e) * target).sum().backward()
    for tensor in (m, e, *cell.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.any()
    assert m.grad.flatten(1).any(1).all()
    assert m.grad.flatten(0, 1).any(0).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_slot_may_read_every_slot_and_the_input_in_two_steps(name):
    cell = build(name)
    m, e = arguments(cell)

    def twice(m, e):
        return cell(cell(m, e), torch.zeros_like(e))

    by_memory, by_input = torch.autograd.functional.jacobian(twice, (m, e))
    assert by_memory.abs().sum((1, 3)).all()
    assert by_input.abs().sum((1, 2)).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_one_step_of_every_method(name, method):
    what = signature(length=5)
    own = Student(what, build(name), hidden=5).double()
    run = RunConfig(
        smt=SMTConfig(future=3, consistency=0.5, noise=0.1), dmt=DMTConfig(window=2, distill=0.5)
    )
    built = METHODS.load(method)(*networks(method, own), run)
    trained = list(built.parameters())
    before = [p.detach().clone() for p in trained]
    optimiser = torch.optim.AdamW(trained, 1e-3)
    losses = descend(built, batch(what))
    assert losses.total.isfinite()
    assert losses.terms
    for label, term in losses.terms.items():
        assert term.isfinite(), label
        assert not term.requires_grad
    assert all(g.isfinite().all() for g in gradients(trained))
    assert not still(trained)
    optimiser.step()
    assert any((a != b).any() for a, b in zip(before, trained, strict=True))
    after = built.losses(batch(what), seeded()).total
    assert after < losses.total


TORCH = {  # name: (module, where its gates stand among ours)
    "elman": (nn.RNNCell, [0]),
    "gru": (nn.GRUCell, [1, 0, 2]),
    "lstm": (nn.LSTMCell, [0, 1, 3, 2]),
}


@pytest.mark.parametrize("name", TORCH)
def test_classic_cells_are_those_of_torch(name):
    cell, (build_twin, order) = build(name), TORCH[name]
    size = 4 if name == "lstm" else cell.memory.size
    twin = build_twin(INPUTS, size).double()

    def gates(tensor):
        return torch.cat([tensor.chunk(len(order))[n] for n in order]).detach()

    ours = dict(cell.named_parameters())
    zero = torch.zeros_like(twin.bias_ih)
    biases = gates(ours["recurrent.bias"]), gates(ours.get("input.bias", zero))
    twin.load_state_dict({
        "weight_hh": gates(ours["recurrent.weight"]), "weight_ih": gates(ours["input.weight"]),
        "bias_hh": biases[0], "bias_ih": biases[1],
    })  # fmt: skip
    m, e = arguments(cell, 5)
    if name == "lstm":
        twin.bias_ih.data[size : 2 * size] += 1.0  # the forget gate starts open
        expected = torch.stack(twin(e, (m[:, 0].contiguous(), m[:, 1].contiguous())), 1)
    else:
        expected = twin(e, m.flatten(1)).view(m.shape)
    torch.testing.assert_close(cell.transition(m, e), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", TORCH)
def test_at_a_small_memory_scale_a_tanh_is_straight(name, monkeypatch):
    bounded, straight = build(name, TanhConfig(1e-4)), build(name)
    m, e = arguments(bounded, 5)
    small, curved = bounded.transition(m, e) / 1e-4, straight.transition(m, e)
    monkeypatch.setattr(torch, "tanh", lambda x: x)
    torch.testing.assert_close(small, straight.transition(m, e), rtol=0, atol=1e-6)
    assert (small - curved).abs().max() > 0.01


def test_a_student_has_the_memory_scale_of_its_config():
    for given in (TanhConfig(0.25), {"scale": 0.25}):
        config = StudentConfig("gru", cell_config=given)
        assert build_student(config, signature()).cell.scale == 0.25


def test_cells_have_the_sizes_of_their_configs():
    assert build("mlp", MLPConfig(expand=3)).down.in_features == 3 * 8
    assert len(build("transformer", TransformerCellConfig(depth=5, heads=2)).blocks) == 5


def test_the_residual_mlp_by_hand():
    cell = build("mlp")
    m, e = arguments(cell, 5)
    up = F.silu(m.flatten(1) @ cell.recurrent.weight.T + cell.recurrent.bias + cell.input(e))
    expected = m + (up @ cell.down.weight.T + cell.down.bias).view(m.shape)
    torch.testing.assert_close(cell.transition(m, e), expected, rtol=0, atol=1e-12)


def test_a_transformer_without_blocks_holds_its_memory():
    cell = build("transformer")
    for block in cell.blocks:
        for last in (block.attention.out.weight, block.mlp.down.weight, block.mlp.down.bias):
            nn.init.zeros_(last)
    m, e = arguments(cell, 5)
    torch.testing.assert_close(cell.transition(m, e), m, rtol=0, atol=1e-12)


def test_slots_of_a_transformer_differ_by_place_alone():
    cell, order = build("transformer"), [2, 0, 1]
    m, e = arguments(cell, 5)
    found = cell(m, e)
    assert (cell(m[:, order], e) - found[:, order]).abs().max() > 1e-6
    cell.slot_embedding.data = cell.slot_embedding.data[order]
    torch.testing.assert_close(cell(m[:, order], e), found[:, order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("slots", [1, 3])
def test_an_lstm_needs_two_slots(slots):
    with pytest.raises(UsageError, match=f"K = {slots} .*set --student.slots to 2"):
        LSTM(MemoryShape(slots, 4), INPUTS)


def test_a_wrapped_cell_is_the_module_and_the_norm():
    cell = build("wrapped")
    m, e = arguments(cell, 3)
    expected = rms_norm(cell.module(e, m.flatten(1)).view(m.shape))
    assert torch.equal(cell(m, e), expected)


class Returns(nn.Module):
    def __init__(self, make) -> None:
        super().__init__()
        self.make = make

    def forward(self, e, state):
        return self.make(e, state)


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (nn.GRUCell(INPUTS + 1, 8), "GRUCell can't be called"),
        (nn.GRUCell(INPUTS, 9), "GRUCell can't be called"),
        (nn.Linear(INPUTS, 8), "Linear can't be called"),
        (nn.LSTMCell(INPUTS, 8), "LSTMCell"),
        (Returns(lambda e, m: (m, m)), "returned tuple"),
        (Returns(lambda e, m: m[:, :5]), r"returned \[2, 5\]"),
        (Returns(lambda e, m: m[0]), r"returned \[8\]"),
    ],
)
def test_a_module_that_does_not_fit_is_told(module, says):
    with pytest.raises(UsageError, match=says):
        wrap(module)(MemoryShape(2, 4), INPUTS)


def test_an_unknown_cell_is_told_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'lstm'"):
        build_student(StudentConfig(cell="lsmt"), signature())


def test_heads_that_do_not_divide_the_width_are_told():
    with pytest.raises(UsageError, match="4 heads, which can't share a width of 6"):
        build_cell("transformer", MemoryShape(2, 6), INPUTS)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: TanhConfig(0.0), "--cell.scale is 0.0; give a finite number above 0"),
        (lambda: TanhConfig(float("inf")), "--cell.scale is inf"),
        (lambda: MLPConfig(0), "--cell.expand is 0; give a finite number, 1 or more"),
        (lambda: TransformerCellConfig(heads=0), "--cell.heads is 0"),
        (lambda: StudentConfig(slots=0), "--student.slots is 0"),
    ],
)
def test_dials_out_of_range_are_told(make, says):
    with pytest.raises(UsageError, match=says):
        make()


def test_dials_of_another_cell_are_told():
    with pytest.raises(UsageError, match="cell 'gru' was given MLPConfig; give it TanhConfig"):
        build_cell("gru", MemoryShape(2, 4), INPUTS, MLPConfig())
    with pytest.raises(UsageError, match=r"cell 'gru' can't be configured by \{'wheels': 4\}"):
        build_cell("gru", MemoryShape(2, 4), INPUTS, {"wheels": 4})


def own(name: str, config=None) -> Cell:
    return build_cell(name, MemoryShape(2, 4), INPUTS, config)


def test_a_plain_module_by_name_is_wrapped():
    cell = own("torch.nn:GRUCell")
    assert isinstance(cell, WrappedCell)
    assert isinstance(cell.module, nn.GRUCell)
    assert (cell.module.input_size, cell.module.hidden_size) == (INPUTS, 8)


def test_a_cell_of_the_users_own_gets_its_config():
    assert own("own_cells:Leaky").leak == 0.5
    assert own("own_cells:Leaky", own_cells.LeakyConfig(2.0)).leak == 2.0
    assert own("own_cells:Leaky", {"leak": 3.0}).leak == 3.0
    with pytest.raises(UsageError, match="was given TanhConfig; give it LeakyConfig"):
        own("own_cells:Leaky", TanhConfig())
    with pytest.raises(UsageError, match=r"--cell.leak is -1"):
        own("own_cells:Leaky", {"leak": -1.0})


def test_a_cell_or_function_of_the_users_own_may_have_no_config():
    assert isinstance(own("own_cells:Plain"), own_cells.Plain)
    assert isinstance(own("own_cells:from_function"), WrappedCell)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("own_cells:no_cell", "'own_cells:no_cell' built Linear, which is no cell; derive it from"),
        ("own_cells:ModuleWithConfig", "built ModuleWithConfig, which is no cell"),
        ("own_cells:NUMBER", "is of type int, which is no cell"),
        ("math:sqrt", r"can't be called with \(MemoryShape, int\) .* which is no cell"),
        ("torch.nn:LSTMCell", "LSTMCell .* state"),
        ("torch.nn:Linear", "Linear can't be called"),
        ("own_cells:LooseConfig", "own_cells:LooseConfig.Config is .*frozen dataclass"),
        ("own_cells:Absent", "module 'own_cells' has no 'Absent'"),
        ("no_such_module:Name", r"'no_such_module:Name' can't be imported \(No module"),
    ],
)
def test_what_is_no_cell_is_refused(name, says):
    with pytest.raises(UsageError, match=says) as told:
        own(name)
    assert "\n" not in str(told.value)


def of(builder, seed: int = 0) -> Student:
    torch.manual_seed(seed)
    return Student(signature(), builder(MemoryShape(2, 4), INPUTS), hidden=6)


@pytest.mark.parametrize("builder", [wrap(nn.GRUCell(INPUTS, 8)), own_cells.from_function, GRU])
def test_students_of_one_builder_share_no_parameter(builder):
    one, other = of(builder), of(builder, 1)
    assert not set(one.parameters()) & set(other.parameters())
    pointers = {p.data_ptr() for p in one.parameters()}
    assert not pointers & {p.data_ptr() for p in other.parameters()}
    before = [p.clone() for p in other.parameters()]
    with torch.no_grad():
        for p in one.parameters():
            p.add_(1.0)
    assert all(torch.equal(p, q) for p, q in zip(before, other.parameters(), strict=True))


def test_a_wrapped_module_stays_as_it_is_and_begins_a_student_as_it_is_then():
    module = nn.GRUCell(INPUTS, 8)
    builder, before = wrap(module), [p.clone() for p in module.parameters()]
    with torch.no_grad():
        for p in of(builder).parameters():
            p.zero_()
    assert all(torch.equal(p, q) for p, q in zip(before, module.parameters(), strict=True))
    with torch.no_grad():
        module.bias_hh.fill_(3.0)
    assert (of(builder).cell.module.bias_hh == 3.0).all()


def test_every_row_can_be_listed_without_its_class():
    assert all(row.summary for row in CELLS.values())
    assert [name for name, row in CELLS.items() if row.slots] == ["lstm"]
