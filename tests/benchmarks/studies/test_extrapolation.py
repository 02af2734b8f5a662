"""The study of extrapolation: what it tests on, what it counts, which rows it keeps."""

import json

import pytest
import torch
from tiny import student

from benchmarks.studies import extrapolation, extrapolation_table
from benchmarks.studies.extrapolation import (
    LENGTHS,
    ROWS,
    STREAMED,
    TASKS,
    Asked,
    Trained,
    accuracy,
    at,
    best_factor,
    by_length,
    config_of,
    drawn,
    make,
    streamed,
)
from pastforward.config import Budget, RunConfig
from pastforward.data.tasks.words import Word
from pastforward.runs.comparison.grid import SEARCH_SEED


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n", [40, 129])
def test_words_of_one_length_are_tested(task, n):
    source = at(task, n)
    if not isinstance(source.task, Word):
        assert source.signature.length == n
        return
    for x, _, mask in drawn(source):
        lengths = (x != source.task.blank).sum(1)
        odd = task == "modular_simple" and n % 2 == 0
        assert (lengths == n - odd).all()
        assert mask.any(1).all()


def test_the_longest_is_as_long_as_a_sequence_may_be():
    assert at("parity", STREAMED).signature.length == 65536
    assert at("parity_check", STREAMED).task.longest == 65535


class Sure(torch.nn.Module):
    """Says the parity of the ones so far, before `late` alone."""

    def __init__(self, late: int) -> None:
        super().__init__()
        self.late = late

    def forward(self, x):
        said = (x == 1).cumsum(1) % 2
        said[:, self.late :] = 1 - said[:, self.late :]
        return torch.nn.functional.one_hot(said, 2).float()


@pytest.mark.parametrize(
    ("task", "late", "right"),
    [("parity", 99, 1.0), ("parity", 20, 0.0), ("parity", 30, 0.5), ("parity_check", 40, 0.0),
     ("parity_check", 41, 1.0)],
)  # fmt: skip
def test_of_dense_outputs_the_second_half_counts(task, late, right):
    network = Sure(late)
    assert accuracy(at(task, 40), network, network) == right


def test_a_stream_says_what_the_student_says():
    source = at("parity", 40)
    own = student(source.signature)
    x = next(drawn(source)).x
    long = x[:3].repeat(1, 110)[:, :4200]
    with torch.no_grad():
        torch.testing.assert_close(streamed(own)(long), own(long)[0])


@pytest.mark.parametrize("one", ROWS)
def test_rates_are_the_recipe_s_times_a_factor(one):
    plain, config = (config_of("s5", one, factor) for factor in (1.0, 3.0))
    assert isinstance(config, RunConfig)
    assert [3 * s.lr for s in plain.stages] == pytest.approx([s.lr for s in config.stages])
    assert (config.baseline is None) == one.is_student


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Two lengths, few sequences, runs of a few steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extrapolation, "LENGTHS", (8, 16))
    monkeypatch.setattr(extrapolation, "STREAMED", 32)
    monkeypatch.setattr(extrapolation, "_STEPS_TESTED", 64)
    monkeypatch.setattr(extrapolation.pf, "Budget", lambda seconds: Budget(steps=8))
    return Asked("parity", 1.0, path=tmp_path / "rows.jsonl")


def test_a_row_is_made_once(few, capsys):
    row = make(few, Trained("smt+dmt", "mlp"), 0, 1.0)
    assert row["accuracy"].keys() == {8, 16, 32}
    assert row["teacher"].keys() == {8, 16}
    again = make(few, Trained("smt+dmt", "mlp"), 0, 1.0)
    assert again["accuracy"]["8"] == row["accuracy"][8]
    assert len(few.path.read_text().splitlines()) == 1
    assert (
        again["command"] == few.command == ("python -m benchmarks.studies.extrapolation parity 1")
    )


def test_the_best_factor_is_that_of_the_search(tmp_path):
    asked = Asked("parity", 1.0, (1.0, 3.0), path=tmp_path / "rows.jsonl")
    key = {"task": "parity:40", "method": "bptt", "cell": "mlp", "seed": SEARCH_SEED,
           "seconds": 1.0}  # fmt: skip
    rows = [key | {"factor": f, "valid_accuracy": a} for f, a in ((1.0, 0.6), (3.0, 0.9))]
    asked.path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert best_factor(asked, Trained("bptt", "mlp")) == 3.0
    assert asked.command.endswith("parity 1 --factors 1 3")


def test_the_table_has_means_over_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(extrapolation_table, "PATH", tmp_path / "rows.jsonl")
    assert "not run yet" in extrapolation_table.extrapolation_table()
    row = {"task": "s5:40", "seconds": 60.0, "method": "smt+dmt", "cell": "mlp", "command": "c",
           "hardware": "h", "date": "d"}  # fmt: skip
    rows = [
        row | {"seed": seed, "accuracy": {str(n): right for n in LENGTHS}, "teacher": {"40": 1.0}}
        for seed, right in ((0, 0.5), (1, 1.0))
    ]
    rows.append(row | {"seed": SEARCH_SEED})
    extrapolation_table.PATH.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = extrapolation_table.extrapolation_table().splitlines()
    assert lines[2].startswith("| s5:40 | 60 | smt+dmt, mlp | 2 | 75.0% | 75.0% |")
    assert lines[3].startswith("| s5:40 | 60 | its teacher, linear over time | 2 | 100.0% | - |")


def test_a_network_without_a_teacher_has_none(few):
    assert by_length("parity", Sure(99), None)["teacher"] == {}
