"""Samples by codec: images, text and symbols."""

import numpy as np
import pytest
import torch

from pastforward.analysis.samples import ImageSamples, draw_samples
from pastforward.cells import StudentConfig
from pastforward.data.codec import PixelCodec, SymbolCodec, TextCodec
from pastforward.outputs import most_likely
from pastforward.student import build_student
from pastforward.types import Batch, Signature, Tokens


def student_of(inputs, outputs, length):
    torch.manual_seed(0)
    return build_student(StudentConfig(cell="gru", width=6), Signature(inputs, outputs, length))


def test_images():
    codec, student = PixelCodec(4, 3, 5), student_of(Tokens(6), Tokens(5), 12)
    y = torch.randint(0, 5, (4, 12), generator=torch.Generator().manual_seed(0))
    x = torch.cat([torch.full((4, 1), 5), y[:, :-1]], 1)
    batch = Batch(x, y, torch.ones_like(y, dtype=torch.bool))
    found = draw_samples(student, codec, batch)
    assert isinstance(found, ImageSamples)
    assert found.given == 6
    assert found.new.shape == found.completed.shape == found.original.shape == (4, 4, 3)
    assert np.array_equal(found.original, y.view(4, 4, 3).numpy() / 4)
    assert np.array_equal(found.completed[:, :2], found.original[:, :2])
    again = draw_samples(student, codec, batch)
    assert isinstance(again, ImageSamples)
    assert np.array_equal(found.new, again.new)
    other = draw_samples(student, codec, batch, seed=1)
    assert isinstance(other, ImageSamples)
    assert not np.array_equal(found.new, other.new)


@pytest.mark.parametrize("length", [10, 80])
def test_text_goes_on_from_its_prompt(length):
    codec, student = TextCodec("abcde"), student_of(Tokens(5), Tokens(5), length)
    x = torch.arange(2 * length).view(2, length) % 5
    found = draw_samples(student, codec, Batch(x, x, torch.ones_like(x, dtype=torch.bool)))
    assert isinstance(found, str)
    prompt = codec.decode(x[0, :48].tolist())
    assert found.startswith(prompt)
    assert len(found) == len(prompt) + 400


def test_symbols_are_shown_where_they_are_asked():
    student = student_of(Tokens(12), Tokens(12), 5)
    x = torch.tensor([[11, 2, 3, 4, 5]])
    mask = torch.tensor([[False, False, True, True, False]])
    found = draw_samples(student, SymbolCodec(12), Batch(x, x + 1, mask))
    m = student.start(1)
    guesses = []
    for t in range(5):
        m = student.step(m, x[:, t])
        guesses.append(int(most_likely(Tokens(12), student.readout(m))))
    lines = [line.split() for line in str(found).splitlines()]
    assert lines[0] == ["given", "11", "2", "3", "4", "5"]
    assert lines[1] == ["expected", ".", ".", "4", "5", "."]
    assert lines[2] == ["predicted", ".", ".", str(guesses[2]), str(guesses[3]), "."]
