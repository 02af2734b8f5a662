import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pastforward import student_file
from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Baseline
from pastforward.baselines.build import build_baseline
from pastforward.cells import CELLS, MLPConfig, StudentConfig, TanhConfig, TransformerCellConfig
from pastforward.cells.build import wrap
from pastforward.data.codec import PixelCodec, SeriesCodec, SymbolCodec, TextCodec
from pastforward.errors import UsageError
from pastforward.files import write_atomically
from pastforward.inference.stream import Stream
from pastforward.student import Student, build_student
from pastforward.student_file import load_network, load_student, save_student
from pastforward.types import MemoryShape, Signature, Tokens, Vectors

TEXT = TextCodec("abcde")


def config_of(cell: str) -> StudentConfig:
    return StudentConfig(cell=cell, slots=2, width=8, embed=4, hidden=8)


def small(config: StudentConfig, kind: Tokens | Vectors = Tokens(5)) -> Student:  # noqa: B008
    torch.manual_seed(0)
    return build_student(config, Signature(kind, kind, 12))


@pytest.fixture
def saved(tmp_path):
    config = config_of("mlp")
    student = small(config)
    path = tmp_path / "student.safetensors"
    save_student(path, student, config, TEXT)
    return path, student, config


def scored(student: Student) -> torch.Tensor:
    x = torch.arange(24).view(2, 12) % 5
    return Stream(student).score(x, (x + 1) % 5)


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_round_trip_of_every_cell(tmp_path, cell):
    config = config_of(cell)
    student = small(config)
    save_student(tmp_path / "s", student, config, TEXT)
    loaded, codec = load_student(tmp_path / "s")
    assert codec == TEXT
    assert loaded.signature == student.signature
    assert not loaded.training
    assert torch.equal(scored(loaded), scored(student))


def a_baseline(name: str, width: int | None = 8) -> tuple[Baseline, BaselineConfig]:
    torch.manual_seed(0)
    config = BaselineConfig(name, depth=2, width=width, hidden=8, heads=2)
    return build_baseline(config, Signature(Tokens(5), Tokens(5), 12)), config


@torch.no_grad()
@pytest.mark.parametrize("name", ["s4d", "mingru", "attention"])
def test_round_trip_of_a_baseline_which_is_no_student(tmp_path, name):
    baseline, config = a_baseline(name)
    save_student(tmp_path / "s", baseline, config, TEXT)
    loaded, codec = load_network(tmp_path / "s")
    assert codec == TEXT
    assert not loaded.training
    x = torch.arange(24).view(2, 12) % 5
    assert torch.equal(loaded(x)[0], baseline.eval()(x)[0])
    with pytest.raises(UsageError, match="holds a baseline"):
        load_student(tmp_path / "s")


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        (Tokens(5), PixelCodec(3, 4, 5)),
        (Tokens(256), TextCodec(None)),
        (Tokens(5), SymbolCodec(5)),
        (Vectors(2), SeriesCodec(("a", "b"), (0.5, 1.5), (2.0, 3.0))),
    ],
)
def test_codec_and_signature_come_back(tmp_path, kind, codec):
    student = small(config_of("gru"), kind)
    save_student(tmp_path / "s", student, config_of("gru"), codec)
    loaded, found = load_student(tmp_path / "s")
    assert found == codec
    assert loaded.signature == student.signature


def test_precision_is_kept(tmp_path):
    student = small(config_of("gru")).double()
    save_student(tmp_path / "s", student, config_of("gru"), TEXT)
    loaded, _ = load_student(tmp_path / "s")
    assert loaded.empty.dtype == torch.float64
    assert torch.equal(scored(loaded), scored(student))


def test_loaded_student_can_learn(saved):
    loaded, _ = load_student(saved[0])
    loaded.readout(loaded.step(loaded.start(2), torch.tensor([1, 2]))).sum().backward()
    assert all(parameter.grad is not None for parameter in loaded.parameters())


def test_loading_leaves_random_numbers_alone(saved):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load_student(saved[0])
    assert torch.equal(torch.rand(3), expected)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.input = nn.Linear(8, 8), nn.Linear(4, 8)
        self.second = self.first

    def forward(self, e, m):
        return torch.tanh(self.second(torch.relu(self.first(m) + self.input(e))))


def tied(config: StudentConfig) -> Student:
    cell = wrap(Tied())(MemoryShape(config.slots, config.width), config.embed)
    return Student(Signature(Tokens(5), Tokens(5), 12), cell, config.hidden)


TIED = StudentConfig(cell="tied", slots=1, width=8, embed=4, hidden=8)


def test_wrapped_cell(tmp_path):
    student = tied(TIED)
    save_student(tmp_path / "s", student, TIED, TEXT)
    with pytest.raises(UsageError, match=r"cell of its own, 'tied', .* giving the builder of"):
        load_student(tmp_path / "s")
    with pytest.raises(UsageError, match="There is no cell 'tied'"):
        load_student(tmp_path / "s", cell="tied")
    loaded, _ = load_student(tmp_path / "s", cell=wrap(Tied()))
    assert torch.equal(scored(loaded), scored(student))
    with pytest.raises(UsageError, match="weights don't fit"):
        load_student(tmp_path / "s", cell=CELLS.load("gru"))


def test_loading_by_one_builder_leaves_the_first_student_alone(tmp_path):
    paths, students = (tmp_path / "one", tmp_path / "two"), []
    for path in paths:
        students.append(tied(TIED))
        save_student(path, students[-1], TIED, TEXT)
    module = Tied()
    builder, kept = wrap(module), [p.clone() for p in module.parameters()]
    loaded = [load_student(path, cell=builder)[0] for path in paths]
    for own, found in zip(students, loaded, strict=True):
        assert torch.equal(scored(own), scored(found))
    assert not torch.equal(scored(loaded[0]), scored(loaded[1]))
    assert all(torch.equal(p, q) for p, q in zip(kept, module.parameters(), strict=True))


PLANTED = """
from pathlib import Path
from pastforward.cells.gru import GRU as Planted
Path("marker").write_text("imported")
"""


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A file that names a cell of its own, and that cell's module, which tells when it runs."""
    (tmp_path / "planted_cell.py").write_text(PLANTED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    config = config_of("gru")
    student, path = small(config), tmp_path / "s"
    save_student(path, student, config, TEXT)
    facts, _ = student_file._read(path)
    facts["config"]["cell"] = "planted_cell:Planted"
    save_file(student.state_dict(), path, {"pastforward.student": json.dumps(facts)})
    yield path, student
    sys.modules.pop("planted_cell", None)


def test_no_code_is_imported_that_a_file_names(planted):
    path, student = planted
    for allowed in (None, "gru", "os:getcwd", "planted_cell:Other"):
        with pytest.raises(UsageError, match="own, 'planted_cell:Planted', whose code is not imp"):
            load_student(path, allowed)
        with pytest.raises(UsageError, match="giving 'planted_cell:Planted' as `cell`"):
            load_network(path, allowed)
    assert not Path("marker").exists()
    assert "planted_cell" not in sys.modules
    loaded, _ = load_student(path, "planted_cell:Planted")
    assert Path("marker").exists()
    assert torch.equal(scored(loaded), scored(student))


def test_a_cell_by_name_round_trip(tmp_path):
    config = config_of("own_cells:Leaky")
    student = small(replace(config, cell_config={"leak": 2.0}))
    save_student(tmp_path / "s", student, replace(config, cell_config={"leak": 2.0}), TEXT)
    loaded, _ = load_student(tmp_path / "s", "own_cells:Leaky")
    assert loaded.cell.leak == 2.0
    assert torch.equal(scored(loaded), scored(student))


def test_dials_of_the_cell_come_back(tmp_path):
    for cell, dials in (
        ("gru", TanhConfig(0.25)), ("mlp", MLPConfig(3)), ("transformer", TransformerCellConfig(1)),
    ):  # fmt: skip
        config = replace(config_of(cell), cell_config=dials)
        student = small(config)
        save_student(tmp_path / "s", student, config, TEXT)
        assert torch.equal(scored(load_student(tmp_path / "s")[0]), scored(student))


@pytest.mark.parametrize(
    ("cell", "changes"),
    [
        ("mlp", {"slots": 1, "width": 16}),
        ("mlp", {"width": 4}),
        ("mlp", {"embed": 5}),
        ("mlp", {"hidden": 9}),
        ("mlp", {"cell": "gru"}),
        ("mlp", {"cell_config": MLPConfig(3)}),
        ("gru", {"cell_config": TanhConfig(0.5)}),
        ("transformer", {"cell_config": TransformerCellConfig(heads=2)}),
        ("own_cells:Leaky", {"width": 16}),
    ],
)
def test_a_config_that_does_not_fit_the_student_is_refused(cell, changes, tmp_path):
    config = config_of(cell)
    with pytest.raises(UsageError, match=r"not what StudentConfig\(.* builds; give the config"):
        save_student(tmp_path / "s", small(config), replace(config, **changes), TEXT)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes", [{"width": 16}, {"depth": 3}, {"hidden": 9}, {"heads": 4}, {"name": "s4d"}]
)
def test_a_config_that_does_not_fit_the_baseline_is_refused(changes, tmp_path):
    baseline, config = a_baseline("attention")
    with pytest.raises(UsageError, match=r"not what BaselineConfig\(.* builds"):
        save_student(tmp_path / "s", baseline, replace(config, **changes), TEXT)
    with pytest.raises(UsageError, match="saved with its width; give BaselineConfig a width"):
        save_student(tmp_path / "s", baseline, replace(config, width=None), TEXT)
    with pytest.raises(UsageError, match=r"not what StudentConfig\("):
        save_student(tmp_path / "s", baseline, config_of("mlp"), TEXT)
    with pytest.raises(UsageError, match=r"not what BaselineConfig\("):
        save_student(tmp_path / "s", small(config_of("mlp")), config, TEXT)
    assert not list(tmp_path.iterdir())


def test_saving_leaves_random_numbers_alone(tmp_path):
    student = small(config_of("elman"))
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    save_student(tmp_path / "s", student, config_of("elman"), TEXT)
    assert torch.equal(torch.rand(3), expected)


def test_runs_without_teacher_or_training(saved):
    path, student, _ = saved
    script = textwrap.dedent(
        """
        import json, sys
        for name in ("teacher", "methods", "training", "analysis", "losses", "recipes", "config"):
            sys.modules["pastforward." + name] = None
        import torch
        from pastforward.inference.stream import Stream
        from pastforward.inference.writing import continue_text
        from pastforward.student_file import load_student
        student, codec = load_student(sys.argv[1])
        stream = Stream(student)
        x = torch.arange(24).view(2, 12) % 5
        text = continue_text(stream, codec, "ab", 5, torch.Generator().manual_seed(0))
        try:
            import pastforward.teacher
        except ImportError:
            print(json.dumps([stream.score(x, (x + 1) % 5).tolist(), text]))
        """
    )
    command = [sys.executable, "-c", script, str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    nats, text = json.loads(done.stdout)
    assert torch.allclose(torch.tensor(nats), scored(student), atol=1e-6)
    assert len(text) == 5


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 100, -1])
def test_truncated_file(saved, kept):
    path = saved[0]
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UsageError, match="no student file"):
        load_student(path)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UsageError, match="There is no student file"):
            load_student(path)


def test_foreign_files(tmp_path, saved):
    path = tmp_path / "foreign"
    path.write_bytes(b"\x89PNG, or any other kind of file" * 50)
    with pytest.raises(UsageError, match="another kind"):
        load_student(path)
    save_file({"w": torch.zeros(3)}, path)
    with pytest.raises(UsageError, match="no description"):
        load_student(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": 99}, "has format 99, of another version of pastforward, where 2 is known"),
        ({"format": 1}, "has format 1, of another version"),
        ({"format": None}, "has format None"),
        ({"network": "teacher"}, "can't be read"),
        ({"network": "baseline"}, "can't be read"),
        ({"config": {"cell": "mlp", "wheels": 4}}, "wheels"),
        ({"signature": {}}, "can't be read"),
        ({"signature": None}, "can't be read"),
        ({"codec": {"kind": "song"}}, "can't be read"),
        ({"config": {"cell": "mlp", "slots": 2, "width": 16}}, "weights don't fit"),
    ],
)
def test_description_that_does_not_fit(saved, changed, message):
    path, student, _ = saved
    facts, _ = student_file._read(path)
    save_file(student.state_dict(), path, {"pastforward.student": json.dumps(facts | changed)})
    with pytest.raises(UsageError, match=message) as told:
        load_student(path)
    assert "\n" not in str(told.value)


OLD = {
    "format": 1,
    "config": {"cell": "mlp", "slots": 2, "width": 8, "embed": 4, "hidden": 8, "scale": 1.0},
    "signature": {"inputs": {"size": 5}, "outputs": {"size": 5}, "length": 12},
    "codec": {"kind": "text", "symbols": "abcde"},
}


def test_a_file_of_an_earlier_version_is_refused(saved):
    path, student, _ = saved
    save_file(student.state_dict(), path, {"pastforward.student": json.dumps(OLD)})
    with pytest.raises(UsageError, match="format 1, of another version of pastforward") as told:
        load_student(path)
    assert "\n" not in str(told.value)


def test_unwritable_place(tmp_path, saved):
    _, student, config = saved
    place = tmp_path / "absent" / "s"
    with pytest.raises(UsageError, match=r"absent/s' could not be written \(No such file"):
        save_student(place, student, config, TEXT)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failed_write_keeps_the_previous_file(saved, monkeypatch, failing):
    path, student, config = saved
    before, names = path.read_bytes(), sorted(path.parent.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(UsageError, match="No space left"):
        save_student(path, student, config, TEXT)
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == names


def test_interrupted_write_keeps_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "s"
    write_atomically(path, b"before")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
