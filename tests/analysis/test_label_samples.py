"""Examples of labelled data: who was right, and the true answer's probability at every step."""

import numpy as np
import pytest
import torch

from pastforward.analysis.label_samples import LabelSamples, coming, inputs_of, label_samples
from pastforward.cells import StudentConfig
from pastforward.data.codec import PixelCodec, SeriesCodec, SymbolCodec
from pastforward.data.labelled import labelled
from pastforward.runs.saving import few_samples
from pastforward.student import Student, build_student


def symbols(count=60):
    return np.random.default_rng(0).integers(3, size=(count, 5))


def student_of(source) -> Student:
    torch.manual_seed(3)
    return build_student(StudentConfig("gru", width=6, embed=3), source.signature)


def test_the_next_output_that_counts():
    y = torch.tensor([[1, 2, 3, 4, 5]])
    mask = torch.tensor([[False, True, False, True, False]])
    wanted, known = coming(y, mask)
    assert wanted[known].tolist() == [2, 2, 4, 4]
    assert known.tolist() == [[True, True, True, True, False]]
    vectors, _ = coming(y[..., None].repeat(1, 1, 2), mask)
    assert vectors[0, 0].tolist() == [2, 2]


@torch.no_grad()
def test_classes_by_brute_force():
    source = labelled(symbols(), np.where(symbols()[:, 0] > 0, "yes", "no"))
    student = student_of(source)
    found = few_samples(student, source)
    assert isinstance(found, LabelSamples)
    courses, right = {}, 0
    for batch in source.held_out("test", 1, 1000):
        text = " ".join(map(str, batch.x[0].tolist()))
        m, course, true = student.start(1), [], int(batch.y[0, -1])
        for t in range(5):
            m = student.step(m, batch.x[:, t])
            course.append(float(student.readout(m).softmax(-1)[0, true]))
        courses.setdefault((text, source.codec.classes[true]), course)
        right += course[-1] > 0.5
    assert found.sequences == len(list(source.held_out("test", 1, 1000)))
    assert 0 < right < found.sequences
    assert (found.chance, found.images, found.answers) == (0.5, False, None)
    assert len(found.right) == min(4, right)
    for one in found.right + found.wrong:
        name, *said = one.said.split("; said ")
        assert one.course == pytest.approx(courses[one.inputs, name], rel=1e-5)
        assert one.right == (one.course[-1] > 0.5) == (said == [])
        assert said in ([], [{"yes": "no", "no": "yes"}[name]])


@torch.no_grad()
def test_the_mean_is_over_sequences_as_long_as_the_step():
    x = [row[: 2 + n % 4] for n, row in enumerate(symbols(80))]
    source = labelled(x, [int(row[0]) for row in x])
    student = student_of(source)
    found = label_samples(student, source)
    at: dict[int, list[float]] = {}
    for batch in source.held_out("test", 1, 1000):
        end = int(batch.mask[0].nonzero())
        p = student(batch.x)[0][0].softmax(-1)[:, int(batch.y[0, end])]
        for t in range(end + 1):
            at.setdefault(t, []).append(float(p[t]))
    expected = [np.mean(at[t]) for t in range(len(at))]
    assert found.course == pytest.approx(expected, rel=1e-5)
    lengths = {len(one.course) for one in found.right + found.wrong}
    assert lengths == {len(str(one.inputs).split()) for one in found.right + found.wrong}


def test_examples_that_were_right_are_of_several_classes():
    x = np.repeat(np.eye(3)[np.sort(np.arange(90) % 3)][:, None], 4, 1)
    y = np.sort(np.arange(90) % 3)
    source = labelled(x, y, test=(x, y))
    student = student_of(source)
    with torch.no_grad():  # a student that knows
        batch = next(iter(source.held_out("test", 90, 90)))
        optimiser = torch.optim.Adam(student.parameters(), 0.03)
        with torch.enable_grad():
            for _ in range(60):
                loss = torch.nn.functional.cross_entropy(student(batch.x)[0][:, -1], batch.y[:, -1])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    found = label_samples(student, source)
    assert {one.said for one in found.right[:3]} == {"0", "1", "2"}
    assert found.wrong == []


@torch.no_grad()
def test_numbers_are_told_in_their_unit():
    x = np.random.default_rng(0).normal(size=(60, 5))
    source = labelled(x, 100 + 10 * x.sum(1))
    found = label_samples(student_of(source), source)
    assert found.chance is None
    assert found.answers is not None
    assert found.answers[:, 0].mean() == pytest.approx(100, abs=20)
    errors = np.abs(found.answers[:, 0] - found.answers[:, 1]) / source.codec.std[0]
    ends = [one.course[-1] for one in found.right + found.wrong]
    order = np.sort(errors)
    assert ends == pytest.approx([*order[:4], *order[::-1][:4]], rel=1e-4)
    true, said = map(float, found.wrong[0].said.split("; said "))
    assert abs(true - said) == pytest.approx(errors.max() * source.codec.std[0], rel=1e-2)


def test_steps_of_their_own_are_counted():
    source = labelled(symbols(), symbols() % 2)
    found = label_samples(student_of(source), source)
    assert found.wrong
    assert found.wrong[0].said.endswith("% of 5 right")


def test_inputs_are_images_where_their_shape_is_known():
    series = SeriesCodec(("1",), (5.0,), (2.0,))
    x = torch.arange(6.0)[:, None]
    drawn = inputs_of(series, x, (2, 3))
    assert isinstance(drawn, np.ndarray)
    assert drawn.tolist() == pytest.approx(np.arange(6).reshape(2, 3) / 5)
    assert np.array_equal(inputs_of(series, x, (0, 0)), 5 + 2 * np.arange(6.0)[:, None])
    colours = SeriesCodec(("r", "g", "b"), (0.0,) * 3, (1.0,) * 3)
    shaped = inputs_of(colours, torch.rand(6, 3), (2, 3))
    assert isinstance(shaped, np.ndarray)
    assert shaped.shape == (2, 3, 3)
    pixels = inputs_of(PixelCodec(1, 2, 3), torch.tensor([0, 2]), (0, 0))
    assert isinstance(pixels, np.ndarray)
    assert pixels.tolist() == [[0.0, 1.0]]
    assert inputs_of(SymbolCodec(3), torch.tensor([0, 2]), (0, 0)) == "0 2"
