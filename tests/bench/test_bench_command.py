"""`pastforward bench`: what it prints, writes and refuses. No benchmark itself is run."""

import json

import pytest
from command_line import call, refused

from benchmarks.speed import labels
from benchmarks.speed.measuring import BenchError, Row


def rows():
    yield Row("labels", "K = 1", 150.0, ">=", 100.0, (140.0, 160.0), 3e4, 200.0, "labels/s", "why")
    yield Row("labels", "K = 4", 9.0, ">=", 50.0, (8.0, 10.0), 3e3, 300.0, "labels/s")
    yield Row("labels", "K = 5", 9.0, ">=", None, (8.0, 10.0), 3e3, 300.0, "labels/s")


def test_rows_are_shown_and_written(here, monkeypatch, capsys):
    monkeypatch.setattr(labels, "run", rows)
    out = call(capsys, "bench", "labels", "--json", "figures.json").out
    assert "150" in out
    assert "K = 1: why" in out
    assert out.splitlines()[-1] == "1 of 2 targets met. Figures: figures.json"
    found = json.loads((here / "figures.json").read_text())
    assert [row["met"] for row in found["rows"]] == [True, False, None]
    assert {"name", "ratio", "target", "met", "spread"} <= found["rows"][0].keys()
    assert {"machine", "threads", "torch", "date"} <= found["hardware"].keys()
    assert "keep the figures: --json FILE" in call(capsys, "bench", "labels").out.splitlines()[-1]


def test_sides_that_disagree_are_not_reported(here, monkeypatch, capsys):
    def disagree():
        yield from rows()
        raise BenchError("the label at t = 1: differs from its reference by 3.")

    monkeypatch.setattr(labels, "run", disagree)
    found = call(capsys, "bench", "labels", "--json", "figures.json")
    assert found.code == 1
    assert "pastforward: the label at t = 1: differs from its reference by 3." in found.err
    assert "150" not in found.out
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("label", "no benchmark 'label'; did you mean 'labels'"),
        ("labels:K", "no case 'K' of 'labels'; it has none"),
        ("time-to-loss:texts", "no case 'texts' of 'time-to-loss'; it has text, copy"),
        ("labels --threads 0", "--threads is 0; give 1 or more"),
        ("labels --json nowhere/figures.json", "'nowhere/figures.json', which can't be a file"),
        ("labels --json .", "'.', which can't be a file"),
    ],
)
def test_bad_input_is_refused_before_minutes_of_work(options, says, here, monkeypatch, capsys):
    monkeypatch.setattr(labels, "run", lambda: pytest.fail("it ran"))
    assert says in refused(capsys, "bench", *options.split())
    assert not list(here.iterdir())
