"""A user's own cell, encoder, method, source and recipe, by `module:Name`, on every way in."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from pastforward.cli.main import main
from pastforward.config import Budget
from pastforward.errors import UsageError
from pastforward.runs.comparison.comparing import compare
from pastforward.runs.comparison.request import CompareRequest
from pastforward.runs.opening import open_run
from pastforward.runs.request import TrainOptions
from pastforward.runs.training import train

QUICK = ["--steps", "3", "--fit.batch", "4", "--fit.evaluations", "1"]
SMALL = [*QUICK, "--student.slots", "1", "--student.width", "8", "--teacher.width", "16"]
CHANGES = {
    "fit.batch": 4, "fit.evaluations": 1, "student.slots": 1, "student.width": 8,
    "teacher.width": 16,
}  # fmt: skip


@pytest.fixture(autouse=True)
def parts(here, monkeypatch):
    """A module of the user's own in the current folder, not imported yet."""
    shutil.copy(Path(__file__).parent / "own_parts.py", here)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(Path(__file__).parent)])
    monkeypatch.delitem(sys.modules, "own_parts", raising=False)


def config_of(name: str) -> dict:
    return json.loads((Path("runs") / name / "config.json").read_text())


def test_cell_and_encoder_on_the_command_line():
    words = ["--cell", "own_parts:LeakyCell", "--cell.leak", "0.25"]
    words += ["--encoder", "own_parts:SumEncoder", "--encoder.gain", "2", "--name", "one"]
    assert main(["train", "copy:8", *words, *SMALL]) == 0
    config = config_of("one")
    assert config["student"]["cell"] == "own_parts:LeakyCell"
    assert config["student"]["cell_config"] == {"leak": 0.25}
    assert config["teacher"]["encoder_config"] == {"gain": 2.0}
    run = open_run("one", allow=["own_parts:LeakyCell", "own_parts:SumEncoder"])
    assert run.student.cell.leak == 0.25
    assert run.teacher.encoder.gain == 2.0


def test_method_on_the_command_line(capsys):
    assert main(["train", "copy:8", "--method", "own_parts:ShortBPTT", *SMALL]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "Report: runs/copy8-own_parts.ShortBPTT/report.html"
    stages = config_of("copy8-own_parts.ShortBPTT")["stages"]
    assert [stage["method"] for stage in stages] == ["own_parts:ShortBPTT"]


def test_source_and_recipe_on_the_command_line():
    assert main(["train", "own_parts:Alternating", "--name", "one", *SMALL]) == 0
    assert config_of("one")["data"]["source"] == "own_parts:Alternating"
    words = ["own_parts:Alternating", "--data.length", "8", "--name", "longer"]
    assert main(["train", *words, *SMALL]) == 0
    assert open_run("longer", ["own_parts:Alternating"]).source.signature.length == 8
    assert main(["train", "own_parts:short_copy", "--name", "other", *SMALL]) == 0
    assert (config_of("other")["data"]["source"], config_of("other")["seed"]) == ("copy:8", 7)


def test_help_shows_dials_of_ones_own(capsys):
    assert main(["train", "digits", "--cell", "own_parts:LeakyCell", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--cell.leak FLOAT" in shown
    assert "How much of a memory is kept." in shown


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_compare_on_the_command_line(jobs):
    words = ["--cells", "gru", "own_parts:LeakyCell", "--networks", "s4d", "--jobs", jobs]
    words += ["--methods", "bptt", "own_parts:ShortBPTT", "--name", "all"]
    assert main(["compare", "own_parts:short_copy", *words, *SMALL]) == 0
    rows = json.loads(Path("runs/all/results.json").read_text())["rows"]
    assert {(row["cell"], row["strategy"]) for row in rows} == {
        ("gru", "bptt"), ("gru", "own_parts:ShortBPTT"), ("own_parts:LeakyCell", "bptt"),
        ("own_parts:LeakyCell", "own_parts:ShortBPTT"), ("s4d", "parallel"),
    }  # fmt: skip
    assert {row["state"] for row in rows} == {"finished"}


def test_in_python():
    options = TrainOptions(
        encoder="own_parts:SumEncoder", changes={**CHANGES, "cell.leak": 0.25, "encoder.gain": 2.0}
    )
    cell, budget = "own_parts:LeakyCell", Budget(steps=3)
    run = train("own_parts:short_copy", cell=cell, name="one", budget=budget, options=options)
    assert run.student.cell.leak == 0.25
    assert run.teacher.encoder.gain == 2.0
    assert run.config.seed == 7
    request = CompareRequest((cell,), methods=("bptt", "own_parts:ShortBPTT"), budget=budget,
                             changes={**CHANGES, "cell.leak": 0.5})  # fmt: skip
    found = compare(["own_parts:Alternating"], request, name="both")
    assert [row.state for row in found.rows] == ["finished", "finished"]
    assert [run.student.cell.leak for run in found.runs] == [0.5, 0.5]


def test_a_source_given_as_an_object(here, monkeypatch):
    monkeypatch.syspath_prepend(here)
    from own_parts import Alternating

    source = Alternating(8)
    options = TrainOptions(changes=CHANGES)
    run = train(source, "bptt", name="one", budget=Budget(steps=3), options=options)
    assert run.source is source
    assert run.evaluate(sequences=8).student.nats > 0
    assert open_run("one", source=source).evaluate(sequences=8).student.nats > 0
    with pytest.raises(UsageError, match=r"data in memory, 'alternating'.*pass it as source="):
        open_run("one").source  # noqa: B018


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["copy:8", "--cell", "own_parts:LeakyCell"], "own_parts:LeakyCell"),
        (["copy:8", "--encoder", "own_parts:SumEncoder"], "own_parts:SumEncoder"),
        (["copy:8", "--method", "own_parts:ShortBPTT"], "own_parts:ShortBPTT"),
        (["own_parts:Alternating"], "own_parts:Alternating"),
    ],
)
def test_a_run_imports_no_code_unless_allowed(words, name, monkeypatch, capsys):
    assert main(["train", *words, "--name", "one", *SMALL]) == 0
    monkeypatch.delitem(sys.modules, "own_parts")
    for command in ("eval", "doctor", "analyse", "report"):
        capsys.readouterr()
        assert main([command, "one"]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert f"names code of its own, '{name}'" in said.err
        assert f"add --allow {name}" in said.err
        assert said.err.count("\n") == 1
    assert "own_parts" not in sys.modules
    with pytest.raises(UsageError, match="names code of its own"):
        open_run("one")
    assert main(["eval", "one", "--allow", name]) == 0
    assert open_run("one", allow=[name]).evaluate().student.nats > 0


def test_generate_imports_no_code_unless_allowed(monkeypatch, capsys):
    cell = "own_parts:LeakyCell"
    assert main(["train", "copy:8", "--cell", cell, "--name", "one", *SMALL]) == 0
    monkeypatch.delitem(sys.modules, "own_parts")
    for of in ("one", "runs/one/student.safetensors"):
        assert main(["generate", of, "--prompt", "1 2", "--tokens", "4"]) == 2
        assert cell in capsys.readouterr().err
        assert "own_parts" not in sys.modules
    assert main(["generate", "one", "--prompt", "1 2", "--tokens", "4", "--allow", cell]) == 0


def test_a_label_store_imports_no_code_unless_named(monkeypatch, capsys):
    cell = "own_parts:LeakyCell"
    assert main(["train", "copy:8", "--cell", cell, "--name", "one", *SMALL]) == 0
    assert main(["label", "one", "--allow", cell, "--sequences", "8", "--out", "store"]) == 0
    monkeypatch.delitem(sys.modules, "own_parts")
    capsys.readouterr()
    assert main(["train", "--labels", "store", *QUICK]) == 2
    assert f"store names code of its own, '{cell}'" in capsys.readouterr().err
    assert "own_parts" not in sys.modules
    assert main(["train", "--labels", "store", "--cell", "gru", *QUICK]) == 0
    assert main(["train", "--labels", "store", "--allow", cell, "--name", "two", *QUICK]) == 0
    assert main(["train", "--labels", "store", "--cell", cell, "--name", "three", *QUICK]) == 0
