"""A network no better than a predictor that reads no input is said to be so, and never wins."""

import re

import pytest
from test_report import printed, summary

from pastforward.report.run_page import write_report
from pastforward.report.summary import best, naive_reference, results, unhelpful
from pastforward.report.tables import results_table
from pastforward.runs.comparison.grid import Grid, Setting
from pastforward.runs.comparison.page import write_page
from pastforward.runs.comparison.record import Record
from pastforward.runs.comparison.results import Row, aggregate, best_of
from pastforward.runs.comparison.table import grid_table

SENTENCE = "no better than the unigram reference: it has learned nothing that helps"
REFERENCES = {"best": 0.5, "uniform": 2.8332, "unigram": 2.0588}


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("nats", "told"),
    [(3.0, SENTENCE), (2.0588, SENTENCE), (2.05876, SENTENCE), (2.0587, ""), (0.1, ""), (None, "")],
)
def test_the_sentence(nats, told):
    assert unhelpful(nats, REFERENCES) == told


def test_the_reference_is_the_best_that_reads_no_input():
    assert naive_reference(REFERENCES) == ("unigram", 2.0588)
    assert naive_reference({"uniform": 0.69314, "unigram": 0.69315}) == ("unigram", 0.69315)
    assert naive_reference({"best": 0.1}) is None
    assert unhelpful(9.0, {}) == ""
    assert "the gaussian reference" in unhelpful(1.5, {"gaussian": 1.4})


@pytest.mark.parametrize("nats", [[2.5], [2.5, 2.0588], [1.5, 2.5]])
def test_the_best_student_beats_the_reference(nats):
    rows = results([summary(str(loss), loss) for loss in nats])
    winner = best(rows)
    assert (winner and winner.nats) == next((loss for loss in nats if loss < 2.0), None)


def test_the_console_says_so_and_marks_no_winner():
    table = results_table([summary("lost", 2.5, 2.6), summary("worse", 3.5)])
    assert not any(line.best for line in table.lines)
    assert [line.kind for line in table.lines[:3]] == ["unhelpful"] * 3
    assert f"lost, worse, teacher of lost: {SENTENCE}" in words(printed(table))
    assert SENTENCE not in words(printed(results_table([summary("fine", 1.5)])))


def test_the_run_page_says_so_and_marks_no_winner(tmp_path):
    text = write_report([summary("lost", 2.5)], tmp_path / "r.html").read_text("utf-8")
    assert text.count(SENTENCE) == 2  # with the figure and in the table
    assert 'class="good"' not in text
    assert not re.search(r'<tr class="[^"]*best', text)
    lost = [summary("lost", 2.5), summary("worse", 3.5)]
    assert "best student" not in write_report(lost, tmp_path / "r.html").read_text("utf-8")
    fine = write_report([summary("fine", 1.5)], tmp_path / "r.html").read_text("utf-8")
    assert SENTENCE not in fine
    assert 'class="good"' in fine
    assert '<tr class="student best"' in fine


@pytest.fixture
def rows():
    state = {"state": "finished", "command": "c", "T": 8, "references": REFERENCES}
    return [
        Row(task, "mlp", "bptt", 0, folder=task, nats=nats, **state)
        for task, nats in (("a", 2.5), ("b", 1.5))
    ]


def test_a_comparison_says_so_and_marks_no_winner(rows):
    lines = aggregate(rows)
    assert Setting("a", "mlp", "bptt") in best_of(lines)
    table = grid_table(lines)
    marked = [(line.cells[0], line.best) for line in table.lines if line.kind != "reference"]
    assert marked == [("a", False), ("b", True)]
    assert f"a mlp bptt: {SENTENCE}" in words(printed(table))


def test_the_page_of_a_comparison_says_so(rows, tmp_path):
    grid = Grid(("a", "b"), ("mlp",), ("bptt",))
    record = Record("pastforward compare a b", grid, {"a": "a", "b": "b"})
    text = write_page(tmp_path, record, rows, tmp_path / "report.html").read_text("utf-8")
    assert text.count(SENTENCE) == 1
    assert text.count('<tr class=" best"') == 1
    assert text.count('class="unhelpful"') == 1
