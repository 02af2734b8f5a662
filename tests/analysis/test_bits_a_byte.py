"""Bits a byte: the same measure in bytes, characters and tokens, by brute force."""

import math

import pytest
import torch

from pastforward.analysis.evaluate import evaluate
from pastforward.cells import StudentConfig
from pastforward.data import TextConfig
from pastforward.data.text import text_source
from pastforward.student import build_student

TEXT = "".join(f"The river {i} is naïve — 東京 and warm.\n" for i in range(300))


@pytest.mark.parametrize("end", [None, "\n"])
@pytest.mark.parametrize("unit", ["bytes", "chars", "bpe:300"])
def test_by_brute_force(unit, end):
    if unit.startswith("bpe"):
        pytest.importorskip("tokenizers", reason="needs pip install pastforward[tokens]")
    source = text_source("t", [TEXT.encode()], TextConfig(unit, end), 12)
    torch.manual_seed(0)
    student = build_student(StudentConfig(slots=1, width=8), source.signature)
    found = evaluate(student, None, source, "test", 40)
    nats = size = 0.0
    for batch in source.held_out("test", 3, 40):
        p = student(batch.x)[0].log_softmax(-1).detach()
        for row, y, mask in zip(p, batch.y, batch.mask, strict=True):
            for t in range(len(y)):
                if mask[t]:
                    nats -= float(row[t, y[t]])
                    size += len(source.codec.pieces[int(y[t])])
    assert found.student.bits_per_byte == pytest.approx(nats / math.log(2) / size, rel=1e-4)
    assert found.to_json()["student"]["bits_per_byte"] == found.student.bits_per_byte


def test_a_predictor_of_nothing_costs_as_much_in_every_unit():
    """With all symbols alike, bits a byte are those of the vocabulary over the bytes read."""
    sizes = {}
    for unit in ("bytes", "chars"):
        source = text_source("t", [b"abcd" * 300], TextConfig(unit), 10)
        student = build_student(StudentConfig(slots=1, width=8), source.signature)
        for parameter in student.readout.parameters():
            torch.nn.init.zeros_(parameter)
        sizes[unit] = evaluate(student, None, source, "test").student.bits_per_byte
    assert sizes == pytest.approx({"bytes": 8.0, "chars": 2.0}, rel=1e-5)
