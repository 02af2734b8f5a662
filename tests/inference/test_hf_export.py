"""A folder for Hugging Face does what the student does, and is loaded without this library."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from pastforward.cells import CELLS, StudentConfig, TorchConfig
from pastforward.cells.build import wrap
from pastforward.data.codec import Codec, LabelCodec, PixelCodec, SeriesCodec, SymbolCodec
from pastforward.data.text_codec import TextCodec, TokenCodec
from pastforward.data.units import train_bpe
from pastforward.errors import UsageError
from pastforward.inference.export import Exported, Shipment
from pastforward.inference.export.checking import probe
from pastforward.student import Student, build_student
from pastforward.types import Flags, MemoryShape, Signature, Tokens, Vectors

pytest.importorskip("transformers", "5.24")
pytest.importorskip("tokenizers")

from pastforward.inference.export.hf import code, export

LETTERS = TextCodec("\n abcdehlorw<|p>")
SERIES = SeriesCodec(("a", "b"), (1e4, -3.0), (0.5, 2.0))
BPE = train_bpe(iter(["hello world, a cold world. " * 9]), 270)
ENDED = train_bpe(iter(["hello world, a cold world. " * 9]), 270, ["<|end|>"])
TEXT = Signature(Tokens(LETTERS.size), Tokens(LETTERS.size), 9)


def small(what: Signature = TEXT, cell: str = "gru", layers: int = 1, hidden: int = 8) -> Student:
    torch.manual_seed(0)
    dials = TorchConfig(layers) if cell.startswith("torch-") else None
    config = StudentConfig(cell, 2, 8 * layers, 4, hidden, dials)
    student = build_student(config, what).eval()
    for weights in student.parameters():
        nn.init.normal_(weights, std=0.3)
    return student


TOKENS = [TokenCodec(BPE), TokenCodec(ENDED, "<|end|>"), TokenCodec(BPE, "")]


def classes(*names: str, inputs: Codec = LETTERS) -> LabelCodec:
    assert not isinstance(inputs, LabelCodec)
    return LabelCodec(inputs, names)


def worst(student: Student, found: Exported) -> dict[str, float]:
    """Largest differences from PyTorch."""
    x = probe(student, 2, 12)
    expected = student(x)[0].detach().numpy()
    differences = {}
    for name, replay in found.replays.items():
        seen = replay(x.numpy())
        differences[name] = np.abs(seen - expected[:, -seen.shape[1] :]).max()
    return differences


@pytest.mark.parametrize(("cell", "hidden"), [*((cell, 8) for cell in CELLS), ("gru", 0)])
def test_every_cell_does_what_pytorch_does(cell, hidden, tmp_path):
    student = small(cell=cell, layers=2, hidden=hidden)
    found = worst(student, export(Shipment(student, LETTERS), tmp_path))
    assert [*found] == ["whole sequence", "padded on the left", "by its cache"]
    assert max(found.values()) <= 1e-5


@pytest.mark.parametrize(
    ("what", "codec"),
    [
        (Signature(Vectors(2), Tokens(3), 9), classes("x", "y", "z", inputs=SERIES)),
        (Signature(Tokens(15), Tokens(2), 9), classes("no", "yes")),
        (Signature(Tokens(5), Flags(3), 9), classes("1", "2", "3", inputs=SymbolCodec(5))),
        (Signature(Tokens(5), Tokens(4), 9), PixelCodec(3, 3, 4)),
        (Signature(Tokens(256), Tokens(256), 9), TextCodec()),
        (Signature(Tokens(257), Tokens(257), 9), TextCodec(None, "\n\n")),
        (Signature(Tokens(257), Tokens(257), 9), TextCodec(None, "")),
        (Signature(Tokens(16), Tokens(16), 9), replace(LETTERS, document_end="##")),
        *((Signature(Tokens(codec.size), Tokens(codec.size), 9), codec) for codec in TOKENS),
    ],
)
def test_every_kind_of_student_is_written(what, codec, tmp_path):
    student = small(what)
    assert max(worst(student, export(Shipment(student, codec), tmp_path)).values()) <= 1e-5


def test_the_file_of_code_is_short_and_has_one_cell():
    for cell in ("GRU", "TransformerCell", "TorchLSTM"):
        text = code(cell)
        assert "pastforward.inference" not in text
        assert len(text.splitlines()) < 260
        assert ("class GRU(" in text) == (cell == "GRU")


def test_a_document_ends_a_generation(tmp_path):
    codec = TOKENS[1]
    kind = Tokens(codec.size)
    export(Shipment(small(Signature(kind, kind, 9)), codec), tmp_path)
    settings = json.loads((tmp_path / "generation_config.json").read_text())
    assert settings == {"do_sample": True, "pad_token_id": codec.end, "eos_token_id": codec.end}


REFUSED = {
    "read Vectors": (Signature(Vectors(2), Vectors(2), 9), SERIES),
    "of classes alone": (
        Signature(Vectors(2), Vectors(1), 9), LabelCodec(SERIES, (), (0.0,), (1.0,))
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", ["reads Vectors", "of classes alone"])
def test_numbers_are_refused(said, tmp_path):
    what, codec = REFUSED[said.replace("reads", "read")]
    with pytest.raises(UsageError, match=said):
        export(Shipment(small(what), codec), tmp_path)
    assert not [*tmp_path.iterdir()]


def test_cells_of_ones_own_are_refused(tmp_path):
    own = Student(TEXT, wrap(nn.GRUCell(4, 16))(MemoryShape(2, 8), 4))
    with pytest.raises(UsageError, match="WrappedCell, code of your own"):
        export(Shipment(own, LETTERS), tmp_path)


def test_other_numbers_of_tokens_are_refused(tmp_path):
    unlike = replace(LETTERS, characters="ab" + "\n cdehlorw<|p>")

    class Wrong(TextCodec):
        def encode(self, text: str) -> list[int]:
            return LETTERS.encode(text)

    codec = Wrong(unlike.characters)
    with pytest.raises(UsageError, match="other numbers than the student's codec"):
        export(Shipment(small(), codec), tmp_path)


def test_the_card_tells_what_is_known(tmp_path):
    facts = {
        "name": "notes",
        "config": {"data": {"source": "/home/me/notes.txt"}, "seed": 3,
                   "stages": [{"method": "smt"}, {"method": "dmt"}]},
        "evaluation": {"split": "test", "sequences": 7, "labels": None,
                       "student": {"nats": 1.25, "accuracy": 0.5}},
        "facts": {"data": {"kind": "characters"}, "seconds": 1.5, "steps": 20, "tokens": 4000},
    }  # fmt: skip
    export(Shipment(small(), LETTERS, facts), tmp_path)
    card = (tmp_path / "README.md").read_text()
    for line in ("# notes", "| method | smt, then dmt |", "| data | notes.txt |", "| seed | 3 |",
                 "| seconds, steps, tokens | 1.5, 20, 4,000 |", "| loss, nats an output | 1.2500 |",
                 "pipeline_tag: text-generation", "license: other"):  # fmt: skip
        assert line in card
    assert "/home" not in card
    assert "pastforward export notes --to hf" in card


AS_A_USER = """
import json, os, sys, warnings
from pathlib import Path
class Banned:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pastforward":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Banned())
import torch
from transformers import (AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer,
                          pipeline)
trust = {"trust_remote_code": True}
home = Path(sys.argv[1])
found = {}


def gap(a, b):
    return float((a - b).detach().abs().max())


text = AutoModelForCausalLM.from_pretrained(home / "text", **trust)
tokenizer = AutoTokenizer.from_pretrained(home / "text", **trust)
one = tokenizer("hello world", return_tensors="pt")
found["ids"] = one["input_ids"][0].tolist()
greedy = {"do_sample": False, "max_new_tokens": 12}
found["greedy"] = text.generate(**one, **greedy)[0].tolist()
found["again"] = text.generate(**one, **greedy, use_cache=False)[0].tolist()
two = tokenizer(["hello world", "be"], return_tensors="pt", padding=True)
found["padded"] = [y.tolist() for y in text.generate(**two, **greedy)]
short = tokenizer("be", return_tensors="pt")
found["short"] = text.generate(**short, **greedy)[0].tolist()
found["beams"] = text.generate(**one, max_new_tokens=4, num_beams=3, do_sample=False).shape
torch.manual_seed(0)
found["sampled"] = text.generate(**one, max_new_tokens=5, num_return_sequences=4).shape
out = text(**one)
halves = text(one["input_ids"][:, :4])
kept = halves.cache.m.clone()
after = text(one["input_ids"][:, 4:], past_key_values=halves.past_key_values)
found["halves"] = gap(after.logits[:, -1], out.logits[:, -1])
found["kept"] = bool((halves.cache.m == kept).all())
loss = text(one["input_ids"], labels=one["input_ids"]).loss
loss.backward()
found["loss"], found["gradient"] = float(loss.detach()), float(text.empty.grad.abs().sum())
write = pipeline("text-generation", model=str(home / "text"), **trust)
found["written"] = write("hello", max_new_tokens=6)[0]["generated_text"]
text.save_pretrained(home / "saved")
tokenizer.save_pretrained(home / "saved")
saved = AutoModelForCausalLM.from_pretrained(home / "saved", **trust)
found["saved"] = gap(saved(**one).logits, out.logits)
found["decoded"] = AutoTokenizer.from_pretrained(home / "saved", **trust).decode(found["ids"])

raw = AutoTokenizer.from_pretrained(home / "bytes", **trust)
found["bytes"] = raw("h\\u00e9 \\u20ac\\n<|pad|>")["input_ids"]

labels = AutoModelForSequenceClassification.from_pretrained(home / "labels", **trust)
x = torch.arange(12.0).view(2, 3, 2)
found["labels"] = labels(input_values=x).logits.tolist()
mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
found["cut"] = labels(input_values=x, attention_mask=mask).logits[1].tolist()
found["shorter"] = labels(input_values=x[1:, :2]).logits[0].tolist()
judge = pipeline("text-classification", model=str(home / "tokens"), **trust)
found["judged"] = judge(["hello", "be"])
print(json.dumps(found))
"""
NOT_OURS = "-Wignore:Can't initialize NVML:UserWarning"


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """What a process without this library finds, offline; and the students that it was given."""
    home = tmp_path_factory.mktemp("hf")
    labels = classes("x", "y", "z", inputs=SERIES)
    given = {
        "text": (small(), LETTERS),
        "bytes": (small(Signature(Tokens(256), Tokens(256), 9)), TextCodec()),
        "labels": (small(Signature(Vectors(2), Tokens(3), 9)), labels),
        "tokens": (small(Signature(Tokens(15), Tokens(2), 9)), classes("no", "yes")),
    }
    for name, (student, codec) in given.items():
        (home / name).mkdir()
        export(Shipment(student, codec), home / name)
    done = subprocess.run(
        [sys.executable, "-Werror", NOT_OURS, "-c", AS_A_USER, str(home)],
        capture_output=True, text=True, check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), given


def greedy(student: Student, ids: list[int], count: int) -> list[int]:
    with torch.inference_mode():
        parameters, m = student(torch.tensor([ids]))
        parameters = parameters[:, -1]
        for _ in range(count):
            y = parameters.argmax(-1)
            ids = [*ids, int(y)]
            m = student.step(m, y)
            parameters = student.readout(m)
    return ids


def test_tokens_are_those_of_the_codec(used):
    found, _ = used
    assert found["ids"] == LETTERS.encode("hello world")
    assert found["decoded"] == "hello world"
    assert found["bytes"] == list("h\u00e9 \u20ac\n<|pad|>".encode())


def test_generation_is_that_of_the_student(used):
    found, given = used
    student = given["text"][0]
    expected = greedy(student, LETTERS.encode("hello world"), 12)
    assert found["greedy"] == found["again"] == expected
    assert found["padded"][0] == expected
    assert found["short"] == greedy(student, LETTERS.encode("be"), 12)
    assert found["padded"][1][-14:] == found["short"]
    assert found["beams"] == [1, 15]
    assert found["sampled"] == [4, 16]
    assert found["written"].startswith("hello")
    assert len(found["written"]) == 11


def test_a_cache_is_a_value(used):
    found, _ = used
    assert found["halves"] < 1e-5
    assert found["kept"]


def test_it_can_be_trained_on_and_saved(used):
    found, given = used
    x = torch.tensor([LETTERS.encode("hello world")])
    with torch.inference_mode():
        logits = given["text"][0](x)[0][0, :-1]
    assert found["loss"] == pytest.approx(float(nn.functional.cross_entropy(logits, x[0, 1:])))
    assert found["gradient"] > 0
    assert found["saved"] == 0


def test_classifiers_read_the_units_of_the_data(used):
    found, given = used
    student, codec = given["labels"]
    x = torch.arange(12.0).view(2, 3, 2)
    read = torch.stack([torch.from_numpy(codec.inputs_of(one.numpy())) for one in x])
    with torch.inference_mode():
        expected = student(read)[0][:, -1]
    torch.testing.assert_close(torch.tensor(found["labels"]), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.tensor(found["cut"]), torch.tensor(found["shorter"]))
    with torch.inference_mode():
        last = given["tokens"][0](torch.tensor([LETTERS.encode("hello")]))[0][0, -1]
    probabilities = last.softmax(-1)
    judged = found["judged"][0]
    assert judged["label"] == ["no", "yes"][int(probabilities.argmax())]
    assert judged["score"] == pytest.approx(float(probabilities.max()), abs=1e-5)
