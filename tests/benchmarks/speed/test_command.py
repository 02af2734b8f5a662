"""`python -m benchmarks.speed`: what it prints, writes and refuses, with one small real case."""

import importlib
import json
import subprocess
import sys

import pytest

from benchmarks.paths import ROOT
from benchmarks.speed import BENCHES, LONG, labels
from benchmarks.speed.__main__ import main
from benchmarks.speed.measuring import BenchError, Row
from benchmarks.speed.table import HEAD, cells
from pastforward.provenance import provenance

ROWS = (
    Row("labels", "K = 1", 150.0, ">=", 100.0, (140.0, 160.0), 3e4, 200.0, "targets/s", "why"),
    Row("labels", "K = 4", 9.0, ">=", 50.0, (8.0, 10.0), 3e3, 300.0, "targets/s"),
    Row("labels", "K = 5", 9.0, ">=", None, (8.0, 10.0), 3e3, 300.0, "targets/s"),
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", BENCHES)
def test_every_benchmark_has_a_module(name):
    assert callable(importlib.import_module(f"benchmarks.speed.{BENCHES[name].module}").run)


def test_long_benchmarks_are_known():
    assert set(LONG) <= BENCHES.keys()


def test_rows_are_shown_and_written(here, monkeypatch, capsys):
    monkeypatch.setattr(labels, "run", lambda: iter(ROWS))
    assert main(["labels", "--json", "figures.json"]) == 0
    out = capsys.readouterr().out
    assert "150" in out
    assert "K = 1: why" in out
    assert out.splitlines()[-1] == "1 of 2 targets met. Figures: figures.json"
    rows = json.loads((here / "figures.json").read_text())["rows"]
    assert [row["met"] for row in rows] == [True, False, None]
    assert {"name", "ratio", "target", "met", "spread"} <= rows[0].keys()
    assert main(["labels"]) == 0
    assert "keep the figures: --json FILE" in capsys.readouterr().out.splitlines()[-1]


def test_every_row_says_where_it_comes_from(here, monkeypatch):
    monkeypatch.setattr(labels, "run", lambda: iter(ROWS))
    assert main(["labels", "--json", "figures.json"]) == 0
    wanted = provenance() | {"command": "python -m benchmarks.speed labels --json figures.json"}
    for row in json.loads((here / "figures.json").read_text())["rows"]:
        assert wanted.items() <= row.items()


def test_a_row_has_a_cell_for_every_column():
    assert all(len(cells(row)) == len(HEAD) for row in ROWS)
    assert cells(ROWS[0])[-3:] == ["140 - 160", ">= 100", "yes"]
    assert cells(ROWS[2])[-2:] == ["-", ""]


def test_sides_that_disagree_are_not_reported(here, monkeypatch, capsys):
    def disagree():
        yield from ROWS
        raise BenchError("the target memory at t = 1: differs from its reference by 3.")

    monkeypatch.setattr(labels, "run", disagree)
    assert main(["labels", "--json", "figures.json"]) == 1
    said = capsys.readouterr()
    assert "the target memory at t = 1: differs from its reference by 3." in said.err
    assert "150" not in said.out
    assert not list(here.iterdir())


def test_faults_of_a_benchmark_itself_are_raised(here, monkeypatch):
    def fail():
        raise RuntimeError("a fault")

    monkeypatch.setattr(labels, "run", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        main(["labels"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("label", "no benchmark 'label'; did you mean 'labels'"),
        ("labels:K", "no case 'K' of 'labels'; it has none"),
        ("time-to-loss:texts", "no case 'texts' of 'time-to-loss'; it has text, copy"),
        ("labels --threads 0", "--threads is 0; give 1 or more"),
        ("labels --threads two", "--threads"),
        ("labels --jsonn figures.json", "--jsonn"),
        ("labels --json nowhere/figures.json", "'nowhere/figures.json', which can't be a file"),
        ("labels --json .", "'.', which can't be a file"),
    ],
)
def test_bad_input_is_refused_before_minutes_of_work(options, says, here, monkeypatch, capsys):
    monkeypatch.setattr(labels, "run", lambda: pytest.fail("it ran"))
    assert main(options.split()) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not list(here.iterdir())


def test_help_names_every_benchmark_and_imports_no_torch():
    code = (
        "import sys; from benchmarks.speed.__main__ import main\n"
        "try: main(['--help'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in BENCHES)
    assert "--json" in done.stdout


def test_a_small_case_runs(monkeypatch, capsys):
    monkeypatch.setattr(labels, "TARGETS", {1: 100.0})
    monkeypatch.setattr(labels, "LENGTH", 8)
    monkeypatch.setattr(labels, "BATCH", 2)
    timed = labels.interleaved
    monkeypatch.setattr(labels, "interleaved", lambda parts, seconds: timed(parts, 0.0))
    assert main(["labels"]) == 0
    out = capsys.readouterr().out
    assert "K = 1" in out
    assert "fewer multiplications a target memory" in out
