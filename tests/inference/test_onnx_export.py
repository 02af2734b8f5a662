"""ONNX does what PyTorch does: steps of all cells, sequences of torch.nn's, without torch."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pastforward.cells import CELLS, StudentConfig, TanhConfig, TorchConfig
from pastforward.cells.build import wrap
from pastforward.data.codec import LabelCodec, SeriesCodec, SymbolCodec
from pastforward.errors import UsageError
from pastforward.inference.export import Shipment
from pastforward.inference.export.checking import agreement
from pastforward.inference.export.onnx import export
from pastforward.onnx_stream import OnnxStream
from pastforward.student import Student, build_student
from pastforward.types import MemoryShape, Signature, Tokens, Vectors

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TOKENS, VECTORS = Signature(Tokens(5), Tokens(5), 9), Signature(Vectors(3), Tokens(2), 9)
CODECS = {
    TOKENS: SymbolCodec(5),
    VECTORS: LabelCodec(SeriesCodec(("a", "b", "c"), (0.0,) * 3, (1.0,) * 3), ("no", "yes")),
}


def small(cell: str, what: Signature = TOKENS, layers: int = 1, hidden: int = 8) -> Student:
    torch.manual_seed(0)
    if cell == "wrapped":
        built = wrap(nn.GRUCell(4, 16))(MemoryShape(2, 8), 4)
        return Student(what, built, hidden).eval()
    dials = TorchConfig(layers) if cell.startswith("torch-") else None
    config = StudentConfig(cell, 2, 8 * layers, 4, hidden, dials)
    student = build_student(config, what).eval()
    nn.init.normal_(student.empty)
    return student


def shipped(student: Student, **changes) -> Shipment:
    return replace(Shipment(student, CODECS[student.signature]), **changes)


def test_the_epsilon_of_the_norm_is_exported(tmp_path):
    # With small numbers inside the tanh, before the norm, it is no rounding error.
    torch.manual_seed(0)
    student = build_student(StudentConfig("gru", 2, 8, 4, 8, TanhConfig(0.01)), TOKENS).eval()
    (replay,) = export(shipped(student), tmp_path).replays.values()
    assert agreement(student, "step.onnx", replay, 20).difference <= 1e-5


@pytest.mark.parametrize("cell", [*CELLS, "wrapped"])
def test_steps_are_those_of_pytorch(cell, tmp_path):
    student = small(cell)
    found = export(shipped(student), tmp_path)
    assert next(iter(found.replays)) == "step.onnx"
    assert ("sequence.onnx" in found.replays) == cell.startswith("torch-")
    for name, replay in found.replays.items():
        checked = agreement(student, name, replay)
        assert checked.steps >= 30  # all 1,000 unless rounding errors grow, as in a Transformer
        assert checked.difference <= (1e-5 if checked.steps == 1000 else 5e-5)
    assert str(Path(__file__).parent).encode() not in (tmp_path / "step.onnx").read_bytes()


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", ["torch-rnn", "torch-gru", "torch-lstm"])
def test_whole_sequences_by_onnx_operators(cell, layers, tmp_path):
    from pastforward.inference.export.onnx import write
    from pastforward.inference.export.onnx_sequence import sequence_model

    student = small(cell, VECTORS, layers, hidden=0)
    write(tmp_path / "sequence.onnx", sequence_model(student), shipped(student))
    stream, x = OnnxStream(tmp_path / "sequence.onnx"), torch.randn(4, 7, 3)
    m = stream.start(4)
    after, parameters = stream.run(m, x.numpy())
    expected, last = student(x)
    torch.testing.assert_close(torch.from_numpy(parameters), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(after), last, rtol=0, atol=1e-5)
    m, first = stream.step(m, x[:, 0].numpy())
    again = stream.feed(m, x[:, 1:].numpy())
    np.testing.assert_allclose(first, parameters[:, 0], atol=1e-5)
    np.testing.assert_allclose(again[1], parameters[:, -1], atol=1e-5)


def test_eight_bits_are_a_file_of_their_own(tmp_path):
    student = small("gru", hidden=256)
    found = export(shipped(student, int8=True), tmp_path)
    assert [*found.rounded] == ["step.int8.onnx"]
    x = torch.randint(5, (2, 20)).numpy()
    exact, rounded = found.replays["step.onnx"](x), found.rounded["step.int8.onnx"](x)
    assert 1e-5 < np.abs(exact - rounded).max() < 0.1
    sizes = [(tmp_path / name).stat().st_size for name in ("step.onnx", "step.int8.onnx")]
    assert sizes[1] < sizes[0]


def test_what_differs_is_refused():
    student = small("gru")
    other = small("gru")
    with torch.no_grad():
        other.readout.net.down.bias[0] += 2e-4

    def replay(x):
        with torch.inference_mode():
            return other(torch.from_numpy(x))[0].numpy()

    with pytest.raises(UsageError, match=r"differs from PyTorch by 2\.\de-04 at step"):
        agreement(student, "step.onnx", replay, 20)
    with pytest.raises(UsageError, match="differs from PyTorch by nan"):
        agreement(student, "step.onnx", lambda x: np.nan * replay(x), 20)


WITHOUT_TORCH = """
import json, sys
KNOWN = {"numpy", "onnxruntime", "lazy_loader", "pastforward", "packaging", "flatbuffers",
         "google", "coloredlogs", "sympy", "mpmath"}
class Banned:
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        known = KNOWN | sys.stdlib_module_names
        if first not in known and not first.startswith("_"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Banned())
import numpy as np
from pastforward.onnx_stream import OnnxStream
try:
    import torch
    sys.exit("torch is there")
except ImportError:
    pass
stream = OnnxStream(sys.argv[1])
m, parameters = stream.feed(stream.start(1), np.array([[0, 1, 2, 3]]))
m, drawn = stream.generate(m, parameters, 12, np.random.default_rng(0), float(sys.argv[2]))
KNOWN |= {"cattrs", "attr", "attrs", "typing_extensions", "jaxtyping", "wadler_lindig",
          "typeguard"}
text = stream.codec.decode(drawn[0])  # the codec needs two small packages more
assert "torch" not in sys.modules
print(json.dumps({"parameters": parameters.tolist(), "text": text}))
"""


def test_a_stream_without_torch(tmp_path):
    student = small("torch-lstm")
    export(shipped(student), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path), "0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with torch.inference_mode():
        parameters, m = student(torch.tensor([[0, 1, 2, 3]]))
        torch.testing.assert_close(
            torch.tensor(found["parameters"]), parameters[:, -1], rtol=0, atol=1e-5
        )
        y, text = parameters[:, -1].argmax(-1), []
        for _ in range(12):
            text.append(str(int(y)))
            m = student.step(m, y)
            y = student.readout(m).argmax(-1)
    assert found["text"] == " ".join(text)


def test_metadata_and_draws(tmp_path):
    labels = small("torch-gru", VECTORS)
    export(shipped(labels), tmp_path)
    stream = OnnxStream(tmp_path)
    assert stream.metadata["classes"] == ["no", "yes"]
    assert stream.codec == CODECS[VECTORS]
    expected = labels.start(2).detach()
    torch.testing.assert_close(torch.from_numpy(stream.start(2)), expected, rtol=0, atol=0)
    with pytest.raises(UsageError, match="can't be fed back"):
        stream.generate(stream.start(1), np.zeros((1, 2)), 3, np.random.default_rng(0))


def test_draws_have_the_probabilities_of_the_network():
    from pastforward.onnx_stream import _draw

    logits = np.log(np.tile([[0.7, 0.2, 0.1]], (20_000, 1)))
    drawn = _draw(logits, np.random.default_rng(0), 1.0)
    assert np.abs(np.bincount(drawn) / len(drawn) - [0.7, 0.2, 0.1]).max() < 0.02
    assert not _draw(logits, np.random.default_rng(0), 0).any()


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    export(shipped(small("elman")), folder)
    return OnnxStream(folder)


BAD = {
    "no tokens": (np.zeros((1, 2, 8)), np.array([0.5])),
    "from 0 to 4": (np.zeros((1, 2, 8)), np.array([5])),
    "given for 2 memories": (np.zeros((2, 2, 8)), np.array([1])),
    "give [B, 2, 8]": (np.zeros((1, 8)), np.array([1])),
}


@pytest.mark.parametrize("said", BAD)
def test_bad_inputs_are_refused(said, stream):
    with pytest.raises(UsageError, match=said.replace("[", r"\[")):
        stream.step(*BAD[said])


def test_bad_files_and_counts_are_refused(stream, tmp_path):
    with pytest.raises(UsageError, match="There is no file"):
        OnnxStream(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"bad\.onnx' is no student in ONNX"):
        OnnxStream(tmp_path / "bad.onnx")
    with pytest.raises(UsageError, match="T above 0"):
        stream.feed(stream.start(1), np.zeros((1, 0), int))
    with pytest.raises(UsageError, match="0 tokens at temperature"):
        stream.generate(stream.start(1), np.zeros((1, 5)), 0, np.random.default_rng(0))
