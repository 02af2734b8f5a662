"""Recipes by what target memories are: they fit any data, and trials choose between them."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from test_recipes import a_few_steps

import pastforward as pf
from pastforward.cells import CELLS
from pastforward.data import DataConfig
from pastforward.data.opening import open_source
from pastforward.errors import NonFiniteLoss, UsageError
from pastforward.recipes.resolve import resolve
from pastforward.recipes.targets import TARGETS, candidates, facts_of
from pastforward.runs import choosing
from pastforward.runs.choosing import Trial, choose
from pastforward.runs.request import TrainOptions

DATA = "copy:8", "retrieval:40", "s5:24,elements=2", "digits"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", TARGETS)
def test_every_recipe_trains_on_any_data(name, data, tmp_path):
    config = resolve(data, targets=name)
    assert config.data.source == data
    a_few_steps(config, tmp_path / "run")


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_has_the_same_numbers(cell):
    for name in TARGETS:
        student = resolve("copy:32", cell=cell, targets=name).student
        assert student.slots * student.width >= 128


def test_what_is_known_of_data():
    def facts(name):
        return facts_of(open_source(name), DataConfig(name))

    assert facts("copy:64").prefixes == ()  # none of its first half counts
    assert facts("parity:64").prefixes == (16, 32)
    assert not facts("parity:64").at_end
    assert facts("retrieval:40").at_end
    assert "fourier" in candidates(facts("retrieval:40"))
    assert "fourier" not in candidates(facts("parity:64"))


def test_a_recipe_s_data_with_other_targets():
    config = resolve("copy32", targets="keys")
    assert (config.data.source, config.teacher.encoder) == ("copy:32", "delta")
    with pytest.raises(UsageError, match="no targets 'kees'; did you mean 'keys'"):
        resolve("copy:8", targets="kees")


def trials_of(monkeypatch, nats: dict[str, list[float]]) -> list[str]:
    """Trials find these losses, one after the other; returns the names in order of trial."""
    tried, left = [], {name: iter(found) for name, found in nats.items()}

    def trial(name, config, source, seconds, asked):
        tried.append(name)
        found = next(left[name])
        if np.isnan(found):
            raise NonFiniteLoss("the loss is nan")
        return Trial(name, seconds, found, None, 1)

    monkeypatch.setattr(choosing, "_trial", trial)
    return tried


def chosen(data="copy:16", console=None):
    config = resolve(data)
    return choose(open_source(data), config, console or Console(quiet=True))


def test_the_two_best_are_tried_for_longer(here, monkeypatch):
    found = {"linear": [2.0, 0.5], "keys": [1.0, 0.9], "tracking": [0.1, 1.5], "stack": [3.0]}
    tried = trials_of(monkeypatch, found)
    # The loss of a short trial is not compared with that of a long one.
    assert chosen() == "keys"
    assert tried == ["linear", "keys", "tracking", "stack", "tracking", "keys"]


def test_trials_are_kept_for_the_same_data_and_sizes(here, monkeypatch):
    tried = trials_of(monkeypatch, {name: [n, n] for n, name in enumerate(TARGETS)})
    assert chosen() == "linear"
    (kept,) = (here / "runs" / "trials").iterdir()
    assert [row["targets"] for row in json.loads(kept.read_text())["trials"]] == tried
    tried.clear()
    assert chosen() == "linear"
    assert not tried
    with pytest.raises(StopIteration):  # other data is tried anew
        chosen("copy:18")


@pytest.mark.parametrize("content", ["", "{}", '{"trials": []}', '["linear"]', '{"data": 1}'])
def test_a_damaged_file_of_trials_is_named(content, here, monkeypatch):
    trials_of(monkeypatch, {name: [n, n] for n, name in enumerate(TARGETS)})
    chosen()
    (kept,) = (here / "runs" / "trials").iterdir()
    kept.write_text(content)
    with pytest.raises(UsageError, match=rf"{kept.name} can't be read .*delete it"):
        chosen()


def test_a_teacher_that_can_t_be_trained_is_left_out(here, monkeypatch):
    nan = float("nan")
    trials_of(monkeypatch, {"linear": [nan], "keys": [2.0, 2.0], "tracking": [nan], "stack": [nan]})
    told = io.StringIO()
    assert chosen(console=Console(width=200, file=told)) == "keys"
    assert "linear    can't be trained here: the loss is nan" in told.getvalue()


def test_none_can_be_trained(here, monkeypatch):
    trials_of(monkeypatch, {name: [float("nan")] for name in TARGETS})
    with pytest.raises(UsageError, match=r"No teacher of linear, .* can be trained"):
        chosen()
    assert not (here / "runs").exists()


def test_a_run_goes_on_with_what_was_chosen(here, monkeypatch):
    monkeypatch.setattr(choosing, "SECONDS", 0.05)
    options = TrainOptions(targets="auto", console=Console(quiet=True))
    asked = {"name": "one", "budget": pf.Budget(steps=8), "options": options}
    run = pf.train("copy:8", **asked)
    (kept,) = (here / "runs" / "trials").iterdir()
    rows = json.loads(kept.read_text())["trials"]
    assert len(rows) == 4 + 2
    longest = [row for row in rows if row["seconds"] == 0.1]
    best = min(longest, key=lambda row: row["nats"])["targets"]
    named = replace(options, targets=best)
    assert run.config == pf.train("copy:8", **(asked | {"name": "two", "options": named})).config
    assert pf.train("copy:8", if_exists="resume", **asked).config == run.config


def test_trials_are_not_shared_by_ranks(here, monkeypatch):
    monkeypatch.setattr(choosing, "world", lambda: 2)
    with pytest.raises(UsageError, match=r"made by one process; name the targets, one of linear"):
        chosen()


def test_what_has_its_targets_is_refused(here):
    options = TrainOptions(targets="auto", console=Console(quiet=True))
    with pytest.raises(UsageError, match="have their targets; give --targets with data"):
        pf.train(resolve("copy:8"), options=options)
