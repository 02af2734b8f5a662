"""Every command of docs/data.md runs on small files, and its program too."""

import importlib.util
import re
import shlex
import sys
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
from data.label_samples import WRITERS

import pastforward
from pastforward.cli.main import main
from pastforward.config import Budget
from pastforward.data import SOURCES
from pastforward.data.label_files import FORMATS
from pastforward.data.opening import kind_of
from pastforward.data.units import train_bpe
from pastforward.estimators.forecaster import Forecaster
from pastforward.runs.opening import open_run

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line.replace("\\|", "|"))[1:]
    for line in re.findall(r"\| `(pastforward [^`]+)` \|", PAGE)
]
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
SERIES = "load.csv", "shops.csv", "walk.csv"
AFTER = [shlex.split(line)[1:] for line in re.findall(r"^pastforward (?!generate).*", PAGE, re.M)]
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
    write_series(random)
    reviews = Split(words=["abc", "cab", "b", "ab"] * 8, mood=[0, 1, 1, 0] * 8)
    stories = [f"Once upon a time there was number {i}. It was good.\n" for i in range(90)]
    (tmp_path / "stories.txt").write_text("\n<|endoftext|>\n".join(stories))
    (tmp_path / "articles").mkdir()
    for place, story in enumerate(stories[:20]):
        (tmp_path / "articles" / f"{place}.txt").write_text(story * 3)
    if importlib.util.find_spec("tokenizers"):
        (tmp_path / "tokenizer.json").write_text(train_bpe(iter(stories), 300))

    def load_dataset(*names, streaming=False):
        return {"train": [{"text": one} for one in stories] if streaming else reviews}

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))


def write_series(random):
    """load.csv and newer.csv, hourly; shops.csv, daily, two of them."""
    hours = pandas.date_range("2025-01-06", periods=1000, freq="h")
    load = 10 + np.sin(hours.hour / 24 * 2 * np.pi) + 0.1 * random.normal(size=1000)
    frame = pandas.DataFrame({"date": hours, "load": load})
    frame[:800].to_csv("load.csv", index=False)
    frame.to_csv("newer.csv", index=False)
    days = pandas.date_range("2025-01-01", periods=200)
    parts = [
        pandas.DataFrame({
            "date": days, "shop": shop, "kind": kind, "price": random.normal(size=200),
            "sold": random.normal(size=200),
        })
        for shop, kind in (("north", "small"), ("south", "large"))
    ]  # fmt: skip
    pandas.concat(parts).to_csv("shops.csv", index=False)


def test_the_page_has_a_command_for_every_kind_of_file(files):
    kinds = {kind_of(words[1]) for words in COMMANDS}
    assert {"labelled", "images", "table", "text"} <= kinds <= SOURCES.keys()
    labelled = [words[1] for words in COMMANDS[6:] if words[1] not in SERIES]
    assert {name.partition(":")[0] for name in labelled} == {*WRITERS, "digits", "hf"}
    assert len(WRITERS) + 2 >= len(FORMATS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_run(words, files, capsys):
    if any(word.startswith("bpe:") or word.endswith(".json") for word in words):
        pytest.importorskip("tokenizers", reason="needs pip install pastforward[tokens]")
    assert main([*words, *QUICK]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.strip().endswith("report.html")
    run = open_run("run")
    assert run.source.signature == run.student.signature  # the data reads as it did


def test_commands_after_training_run(files, capsys):
    small = ["--steps", "3", "--fit.batch", "4", "--data.length", "24"]
    assert main(["train", "load.csv", *small]) == 0, capsys.readouterr().err
    for words in AFTER:
        assert main([*words, "--paths", "4"]) == 0, capsys.readouterr().err
        last = capsys.readouterr().out.strip().splitlines()[-1]
        assert Path(last.rpartition(" ")[2]).exists(), last
    table = pandas.read_csv("newer-forecast.csv")
    assert list(table) == ["date", "column", "mean", "0.05", "0.5", "0.95"]
    assert table["date"][0] == "2025-02-16 16:00:00"
    assert Path("newer-forecast.png").stat().st_size > 10_000


def test_the_program_of_series_runs(files, monkeypatch, capsys):
    monkeypatch.setattr(pastforward, "Forecaster", partial(Forecaster, steps=3, length=24))
    exec(compile(PROGRAMS[0], "data.md", "exec"), names := {})
    assert "(100, 24, 1)" in capsys.readouterr().out
    assert Forecaster.load("load.safetensors").predict(X=names["load"]).shape == (48, 6)


def test_text_is_drawn_as_the_page_says(files, capsys, monkeypatch):
    pytest.importorskip("tokenizers", reason="needs pip install pastforward[tokens]")
    words = next(words for words in COMMANDS if words[1] == "stories.txt")
    assert main([*words, *QUICK[:-1], "stories"]) == 0
    first, second = re.findall(r"^(?:echo .*\| )?(pastforward generate .+)$", PAGE, re.M)
    capsys.readouterr()
    assert main([*shlex.split(first)[1:], "--tokens", "30"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Once upon")
    assert said.splitlines()[-1].startswith("Drawn by: ")
    monkeypatch.setattr(sys, "stdin", StringIO("Once upon a time\n"))
    assert main(shlex.split(second)[1:]) == 0
    assert capsys.readouterr().out.startswith("Once upon a time")


def test_the_program_runs(files, monkeypatch, capsys):
    _, program = PROGRAMS
    monkeypatch.setattr(pastforward, "Budget", lambda seconds: Budget(steps=3))
    names = {}
    exec(compile(program, "data.md", "exec"), names)
    assert capsys.readouterr().out.startswith("('falls', 'rises') ")
    assert names["run"].student.signature == names["source"].signature
