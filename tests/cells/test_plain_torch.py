"""Plain torch.nn and students are the same networks, in both directions."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pastforward.cells import StudentConfig, TorchConfig
from pastforward.cells.plain import Recurrent
from pastforward.errors import UsageError
from pastforward.plain_torch import from_torch, to_torch, torch_config, torch_sizes
from pastforward.student import Student, build_student
from pastforward.types import Quantiles, Signature, Tokens, Vectors

CELLS = ("torch-rnn", "torch-gru", "torch-lstm")
SIGNATURES = {
    "tokens": Signature(Tokens(7), Tokens(5), 9),
    "vectors": Signature(Vectors(3), Quantiles(2, (0.1, 0.5, 0.9)), 9),
}


def small(cell: str, kind: str = "tokens", layers: int = 1, hidden: int = 6) -> Student:
    torch.manual_seed(3)
    config = StudentConfig(cell, 2, 6 * layers, 4, hidden, TorchConfig(layers))
    student = build_student(config, SIGNATURES[kind]).eval()
    nn.init.normal_(student.empty)
    return student


def inputs(what: Signature, count: int = 3, length: int = 11) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if isinstance(what.inputs, Tokens):
        return torch.randint(what.inputs.size, (count, length), generator=generator)
    return torch.randn(count, length, what.inputs.width, generator=generator)


@pytest.mark.parametrize("hidden", [6, 0])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", SIGNATURES)
@pytest.mark.parametrize("cell", CELLS)
def test_plain_torch_does_what_the_student_does_and_comes_back(cell, kind, layers, hidden):
    student = small(cell, kind, layers, hidden)
    x, network = inputs(student.signature), student.to_torch()
    expected, found = student(x)[0], network(x)[0]
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    first, state = network(x[:, :4])
    again = torch.cat([first, network(x[:, 4:], state)[0]], 1)
    torch.testing.assert_close(again, expected, rtol=0, atol=1e-5)
    back = from_torch(network, student.signature, slots=2)
    torch.testing.assert_close(back(x)[0], expected, rtol=0, atol=1e-5)
    assert back.memory == student.memory


ALONE = """
import json, sys
class Banned:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pastforward":
            raise ImportError("not installed")
sys.meta_path.insert(0, Banned())
sys.path = [place for place in sys.path if place] + [sys.argv[1]]
import torch
from safetensors.torch import load_file
from model import Recurrent
network = Recurrent(**json.load(open(sys.argv[1] + "/config.json")))
network.load_state_dict(load_file(sys.argv[1] + "/model.safetensors"))
y, _ = network(torch.tensor(json.loads(sys.argv[2])))
assert not [name for name in sys.modules if name.startswith("pastforward")]
print(json.dumps(y.tolist()))
"""


def test_the_state_dict_loads_where_there_is_no_pastforward(tmp_path):
    student = small("torch-lstm", layers=2)
    network = to_torch(student)
    source = Path(sys.modules[Recurrent.__module__].__file__ or "")
    (tmp_path / "model.py").write_text(source.read_text())
    (tmp_path / "config.json").write_text(json.dumps(torch_sizes(student)))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    x = inputs(student.signature)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path), json.dumps(x.tolist())],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = torch.tensor(json.loads(done.stdout))
    torch.testing.assert_close(found, student(x)[0], rtol=0, atol=1e-5)


class Mine(nn.Module):
    """As people write them: the last step's output of a GRU on series."""

    def __init__(self, gru: nn.Module | None = None, head: nn.Module | None = None) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.1)
        self.gru = gru or nn.GRU(3, 8, 2, batch_first=True)
        self.head = head or nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.drop(self.gru(x)[0][:, -1]))


def test_a_module_of_the_users_comes_in():
    torch.manual_seed(0)
    mine, what = Mine(), Signature(Vectors(3), Tokens(4), 9)
    student = from_torch(mine, what, slots=4)
    assert mine.training
    assert torch_config(mine, 4) == StudentConfig("torch-gru", 4, 4, 3, 0, TorchConfig(2))
    x = inputs(what)
    torch.testing.assert_close(student(x)[0][:, -1], mine.eval()(x), rtol=0, atol=1e-5)
    # What was trained goes back: the parts of `to_torch` fit the user's own.
    plain = student.to_torch()
    mine.gru.load_state_dict(plain.rnn.state_dict())
    mine.head.load_state_dict(plain.readout.state_dict())
    torch.testing.assert_close(mine(x), student(x)[0][:, -1], rtol=0, atol=1e-5)


class Twice(Mine):
    def forward(self, x):
        return 2 * super().forward(x)


BAD = {
    "0 modules of nn.RNN": nn.Linear(3, 4),
    "two directions": Mine(nn.GRU(3, 4, bidirectional=True, batch_first=True)),
    "batch_first=False": Mine(nn.GRU(3, 8)),
    "a ReLU": Mine(nn.RNN(3, 8, nonlinearity="relu", batch_first=True)),
    "ReLU, Linear after": Mine(head=nn.Sequential(nn.ReLU(), nn.Linear(8, 4))),
    "does more than its layers": Twice(),
    "writes 5 numbers a step": Mine(head=nn.Linear(8, 5)),
    "reads vectors of 2": Mine(nn.GRU(2, 8, batch_first=True)),
    "can't be called": nn.Sequential(nn.GRU(3, 8, batch_first=True), nn.Linear(8, 4)),
}


@pytest.mark.parametrize("said", BAD)
def test_modules_of_another_shape_are_refused(said):
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        from_torch(BAD[said], Signature(Vectors(3), Tokens(4), 9))


def test_slots_that_do_not_divide_and_other_cells_are_refused():
    with pytest.raises(UsageError, match="16 numbers can't be cut into 3 slots"):
        torch_config(Mine(), 3)
    other = build_student(StudentConfig("gru", 1, 4, 3, 4), SIGNATURES["tokens"])
    with pytest.raises(UsageError, match=r"cell is GRU, which torch\.nn has no module of"):
        other.to_torch()
