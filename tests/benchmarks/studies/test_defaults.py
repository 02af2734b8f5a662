"""The study of defaults: both ways on a task, each row made once, and their table."""

import json

import pytest

from benchmarks.studies import defaults
from benchmarks.studies.files import read_lines
from pastforward.config import Budget
from pastforward.runs import choosing


def test_rows_are_made_once_and_say_what_was_chosen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choosing, "SECONDS", 0.05)
    monkeypatch.setattr(defaults.pf, "Budget", lambda seconds: Budget(steps=8))
    path = tmp_path / "rows.jsonl"
    for _ in range(2):
        defaults.main(["copy:8"], 1.0, path=path)
    tuned, auto = read_lines(path)
    assert (tuned["way"], tuned["encoder"], auto["way"]) == ("tuned", "linear", "auto")
    assert "targets" not in tuned
    assert auto["targets"] in {trial["targets"] for trial in auto["trials"]}
    assert auto["trial_seconds"] == pytest.approx(4 * 0.05 + 2 * 0.1)
    assert 0 <= auto["accuracy"] <= 1
    assert auto["command"] == "python -m benchmarks.studies.defaults 1 copy:8"


def test_the_table_has_a_line_for_each_task_with_both_ways(tmp_path, monkeypatch):
    monkeypatch.setattr(defaults, "PATH", tmp_path / "rows.jsonl")
    assert "not run yet" in defaults.defaults_table()
    made = {"seconds": 90.0, "seed": 0, "hardware": "a machine", "date": "today", "command": "c t"}
    rows = [
        made | {"task": "copy:8", "way": "tuned", "accuracy": 0.9},
        made
        | {"task": "copy:8", "way": "auto", "accuracy": 0.85, "targets": "keys"}
        | {"trial_seconds": 80.0},
        made | {"task": "stack:8", "way": "tuned", "accuracy": 0.9},  # its other way is under way
    ]
    defaults.PATH.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = defaults.defaults_table().splitlines()
    assert lines[2] == "| copy:8 | 90 | 90.0% | 85.0% | keys | 80 | -5.0 points |"
    assert not lines[3]
    assert "`c`" in lines[4]
