"""Labels on the console and on the page: figures, tables, words, pictures."""

import io
import json
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from rich.console import Console
from test_report import summary

from pastforward.analysis.label_samples import Example, LabelSamples
from pastforward.analysis.labels import ClassMeter, FlagMeter, NumberMeter
from pastforward.report.label_charts import confusion_figure, course_figure, example_figure
from pastforward.report.labels import (
    confused_table,
    detail_tables,
    label_table,
    metric_text,
    unhelpful_labels,
)
from pastforward.report.run_page import write_report
from pastforward.report.summary import RunSummary

RANDOM = np.random.default_rng(0)


def classes(names, true, predicted):
    meter = ClassMeter(names)
    y, said = torch.tensor([true]), torch.tensor([predicted])
    meter.add(said, y, torch.ones_like(y, dtype=torch.bool))
    return json.loads(json.dumps(asdict(meter.read())))


def with_labels(name="gru", samples=None, **parts) -> RunSummary:
    run = summary(name, 0.5, samples=samples)
    run.evaluation["student"] |= {"accuracy": None} | parts
    if parts.get("classes"):
        run.evaluation["student"]["accuracy"] = parts["classes"]["accuracy"]
    return run


def numbers(true, predicted, std):
    meter = NumberMeter(std)
    meter.add(torch.tensor([predicted]), torch.tensor([true]), torch.ones(1, len(true)).bool())
    return asdict(meter.read())


FEW = classes(["cat", "dog", "cow"], [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2])
MANY = classes([f"class {i}" for i in range(60)], [*range(60), 7, 7], [*range(59), 0, 9, 9])
WORSE = classes(["cat", "dog"], [0, 0, 0, 1], [1, 0, 1, 0])


def printed(table) -> str:
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def samples(chance=1 / 3, images=False, inputs=None) -> LabelSamples:
    drawn = RANDOM.normal(size=(9, 2)) if inputs is None else inputs
    right = Example(drawn, "cat", True, np.linspace(0.3, 0.9, 9))
    wrong = replace(right, said="cow; said dog", right=False)
    answers = RANDOM.normal(size=(7, 2)) if chance is None else None
    return LabelSamples([right], [wrong], np.full(9, 0.4), 1234, chance, images, answers)


def test_metrics_of_classes_and_each_class():
    run = with_labels(classes=FEW)
    text = printed(label_table([run]))
    for shown in ("accuracy", "66.7%", "72.2%", "macro F1", "0.656"):
        assert shown in text
    (table,) = detail_tables(run.evaluation["student"])
    assert [line.cells for line in table.lines] == [
        ("cat", "3", "100.0%", "66.7%", "0.800"),
        ("dog", "2", "50.0%", "50.0%", "0.500"),
        ("cow", "1", "50.0%", "100.0%", "0.667"),
    ]


def test_of_many_classes_the_pairs_most_often_confused():
    (table,) = detail_tables(with_labels(classes=MANY).evaluation["student"])
    assert [line.cells for line in table.lines] == [
        ("class 7", "class 9", "2", "66.7%"),
        ("class 59", "class 0", "1", "100.0%"),
    ]
    perfect = classes(["a", "b"], [0, 1], [0, 1])
    assert confused_table(perfect) is None
    assert confused_table(perfect | {"confusion": None}) is None


def test_metrics_of_numbers_and_of_each_output():
    one = numbers([[0.0], [1.0], [2.0]], [[0.0], [1.0], [1.0]], (10.0,))
    run = with_labels(numbers=one)
    text = printed(label_table([run]))
    for shown in ("MSE", "33.33", "MAE", "3.333", "R2", "0.500"):
        assert shown in text
    assert detail_tables(run.evaluation["student"]) == []
    two = numbers([[0.0, 1.0], [1.0, 5.0]], [[0.0, 1.0], [1.0, 1.0]], (1.0, 1.0))
    (table,) = detail_tables(with_labels(numbers=two).evaluation["student"])
    assert [line.cells for line in table.lines] == [
        ("1", "0", "0", "1.000"), ("2", "8", "2", "-1.000"),
    ]  # fmt: skip


def test_data_without_labels_has_no_table():
    run = summary("copy", 0.5)
    assert label_table([run]) is None
    assert detail_tables(run.evaluation["student"]) == []
    assert metric_text("mse", None) == metric_text("accuracy", None) == "-"


def test_no_better_than_one_answer_is_said_in_words(tmp_path):
    assert unhelpful_labels({"classes": FEW}) == ""
    said = unhelpful_labels({"classes": WORSE})
    assert "always answering 'cat'" in said
    assert "75.0%" in said
    run = with_labels(classes=WORSE)
    assert "always answering 'cat'" in " ".join(printed(label_table([run])).split())
    page = write_report([run], tmp_path / "r.html").read_text("utf-8")
    assert page.count("always answering &#39;cat&#39;") == 2
    flags = FlagMeter(["a", "b"])
    y = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    flags.add(torch.zeros_like(y), y, torch.ones(1, 2).bool())
    assert "more frequent answer to each label" in unhelpful_labels(
        {"classes": asdict(flags.read())}
    )
    bad = numbers([[0.0], [1.0]], [[1.0], [0.0]], (1.0,))
    assert "the mean" in unhelpful_labels({"numbers": bad})
    good = numbers([[0.0], [1.0]], [[0.1], [0.9]], (1.0,))
    assert unhelpful_labels({"numbers": good}) == ""


def test_the_page_shows_classes(tmp_path):
    run = with_labels(classes=FEW, samples=samples())
    run.metrics.extend({"seconds": 9.0 + s, "valid_macro_f1": s / 9} for s in range(4))
    page = write_report([run], tmp_path / "r.html").read_text("utf-8")
    for title in ("Confusion matrix", "The true class as steps come in", "Learning: macro F1"):
        assert f"<h2>{title}</h2>" in page
    for shown in ("gru: by class", "gru: examples", "Right", "cow; said dog", "mean of 1,234"):
        assert shown in page
    headline = page[page.index("grid small") : page.index("<h2>Results")]
    assert "66.7%" in headline
    assert "balanced accuracy 72.2% · macro F1 0.656" in headline
    for target in re.findall(r'href="([^"]*)"', page):
        assert target.startswith(("#", "data:image/png"))


def test_the_page_shows_many_classes(tmp_path):
    page = write_report([with_labels(classes=MANY)], tmp_path / "r.html").read_text("utf-8")
    for shown in ("gru: most often confused", "gru: every class", "one class in 2 is named"):
        assert shown in page
    assert len(page) < 300_000


def test_the_page_shows_numbers(tmp_path):
    two = numbers([[0.0, 1.0], [1.0, 5.0]], [[0.0, 1.0], [1.0, 1.0]], (1.0, 1.0))
    run = with_labels(numbers=two, samples=samples(chance=None))
    page = write_report([run], tmp_path / "r.html").read_text("utf-8")
    for shown in ("Predicted against true", "Error as steps come in", "gru: by output", "Nearest"):
        assert shown in page
    assert "Confusion" not in page


def test_text_is_shown_as_text_and_cut_in_the_middle(tmp_path):
    text = "<b>" + "0 1 " * 400 + "end"
    run = with_labels(classes=FEW, samples=samples(inputs=text))
    page = write_report([run], tmp_path / "r.html").read_text("utf-8")
    assert "&lt;b&gt;0 1" in page
    assert "… " in page
    assert "1 end</pre>" in page
    assert text not in page


def test_outputs_at_one_step_have_no_chart_by_position(tmp_path):
    run = with_labels(classes=FEW)
    run.evaluation["student"]["by_position"] = [None, None, 0.5]
    page = write_report([run], tmp_path / "r.html").read_text("utf-8")
    assert "Loss by position" not in page


def test_a_confusion_matrix_is_readable_to_20_classes():
    axes = confusion_figure(FEW["names"], FEW["confusion"]).axes[0]
    found = {text.get_position(): text.get_text() for text in axes.texts}
    assert found == {(0, 0): "2", (1, 0): "1", (1, 1): "1", (2, 1): "1", (2, 2): "1"}
    assert [label.get_text() for label in axes.get_yticklabels()] == FEW["names"]
    many = confusion_figure(MANY["names"], MANY["confusion"])
    assert not many.axes[0].texts
    assert len(many.axes[0].get_yticklabels()) == 30
    (image,) = many.axes[0].get_images()
    assert np.asarray(image.get_array())[7, 9] == pytest.approx((2 / 3) ** 0.5)


def test_courses_have_the_mean_and_single_sequences():
    axes = course_figure(samples(), "#3b82f6").axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["single, right", "single, wrong", "mean of 1,234", "all alike"]
    assert max(axes.get_lines()[0].get_ydata()) == pytest.approx(0.9)


def test_examples_are_drawn_as_what_they_are():
    image = example_figure(samples(images=True, inputs=np.eye(3)).right[0], True)
    assert image is not None
    assert len(image.axes[0].get_images()) == 1
    lines = example_figure(samples().right[0], False)
    assert lines is not None
    assert len(lines.axes[0].get_lines()) >= 2
    assert example_figure(samples(inputs="0 1").right[0], False) is None
