"""Every command of docs/data.md runs on small files, and its program too."""

import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from data.label_samples import WRITERS

import pastforward
from pastforward.cli.main import main
from pastforward.config import Budget
from pastforward.data import SOURCES
from pastforward.data.label_files import FORMATS
from pastforward.data.opening import kind_of
from pastforward.runs.opening import open_run

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"\| `(pastforward [^`]+)` \|", PAGE)]
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
QUICK = ["--steps", "3", "--fit.batch", "4", "--name", "run"]


class Split(dict):
    column_names, features = property(list), {"mood": SimpleNamespace(names=["bad", "good"])}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The current folder has all files that the page names."""
    monkeypatch.chdir(tmp_path)
    for name, write in WRITERS.items():
        write(tmp_path / name)
    (tmp_path / "my-notes.txt").write_text("Once upon a time there was a memory. " * 60)
    random = np.random.default_rng(0)
    np.save("images.npy", random.integers(0, 256, (40, 8, 8)))
    np.savetxt("walk.csv", random.normal(size=(400, 2)).cumsum(0), delimiter=",")
    reviews = Split(words=["abc", "cab", "b", "ab"] * 8, mood=[0, 1, 1, 0] * 8)
    hub = SimpleNamespace(load_dataset=lambda *names: {"train": reviews})
    monkeypatch.setitem(sys.modules, "datasets", hub)


def test_the_page_has_a_command_for_every_kind_of_file(files):
    kinds = {kind_of(words[1]) for words in COMMANDS}
    assert {"labelled", "images", "table", "text"} <= kinds <= SOURCES.keys()
    labelled = [words[1] for words in COMMANDS[3:]]
    assert {name.partition(":")[0] for name in labelled} == {*WRITERS, "digits", "hf"}
    assert len(WRITERS) + 2 >= len(FORMATS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_run(words, files, capsys):
    assert main([*words, *QUICK]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.strip().endswith("report.html")
    run = open_run("run")
    assert run.source.signature == run.student.signature  # the data reads as it did


def test_the_program_runs(files, monkeypatch, capsys):
    (program,) = PROGRAMS
    monkeypatch.setattr(pastforward, "Budget", lambda seconds: Budget(steps=3))
    names = {}
    exec(compile(program, "data.md", "exec"), names)
    assert capsys.readouterr().out.startswith("('falls', 'rises') ")
    assert names["run"].student.signature == names["source"].signature
