"""Planning a grid: which runs, in which order, where they lie, with which config."""

import itertools
from dataclasses import replace

import pytest

from pastforward.config import Budget
from pastforward.errors import UsageError
from pastforward.recipes import RECIPES
from pastforward.recipes.names import at_length, stem, without_length
from pastforward.runs.comparison.grid import SEARCH_SEED, Grid, Setting, Trial, problem
from pastforward.runs.comparison.request import CompareRequest, configs_for

GRID = Grid(
    ("copy:8", "retrieval:12"), ("mlp", "gru"), ("bptt", "smt"), (3, 4), (0.3, 1.0, 3.0), 0.25
)
PLAIN = Grid(("digits",), ("mlp",), ("bptt", "smt"))


def test_every_combination_is_a_run_once():
    trials = GRID.trials()
    expected = itertools.product(GRID.tasks, GRID.cells, GRID.strategies, GRID.seeds)
    found = [(t.setting.task, t.setting.cell, t.setting.strategy, t.seed) for t in trials]
    assert sorted(found) == sorted(expected)
    assert {trial.factor for trial in trials} == {1.0}


def test_a_seed_is_whole_before_the_next_begins():
    seeds = [trial.seed for trial in GRID.trials()]
    assert seeds == [3] * 8 + [4] * 8


def test_searches_try_every_factor_of_every_setting_on_a_seed_of_their_own():
    searches = GRID.searches()
    assert len(searches) == 8 * 3
    assert {s.seed for s in searches} == {SEARCH_SEED}
    assert SEARCH_SEED not in GRID.seeds
    by_setting = {s: [t.factor for t in searches if t.setting == s] for s in GRID.settings()}
    assert set(map(tuple, by_setting.values())) == {GRID.factors}
    assert PLAIN.searches() == []


def test_no_two_runs_share_a_folder():
    for grid in (GRID, replace(PLAIN, factors=(0.5, 2.0))):
        places = [grid.place(trial) for trial in [*grid.searches(), *grid.trials()]]
        assert len(set(places)) == len(places)
        for one, other in itertools.permutations(places, 2):
            assert one not in other.parents


def test_places_of_components_of_ones_own():
    setting = Setting("copy:16", "cells:Mine", "methods:Mine")
    assert str(GRID.place(Trial(setting, 3))) == "copy16/cells.Mine/methods.Mine/seed3"


def test_places():
    setting = Setting("key_values:16,pairs=2", "gru", "smt+dmt")
    assert str(GRID.place(Trial(setting, 3))) == "key_values16-pairs2/gru/smt+dmt/seed3"
    search = Trial(setting, SEARCH_SEED, 0.3)
    assert str(GRID.place(search)) == "rates/key_values16-pairs2/gru/smt+dmt/x0.3"
    assert str(PLAIN.place(PLAIN.trials()[1])) == "smt"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seeds": (1, 1)}, "seed was named twice"),
        ({"seeds": ()}, "No seed was named"),
        ({"seeds": (SEARCH_SEED,)}, "reserved for the search"),
        ({"seeds": (10**15,)}, "at most 15 digits"),
        ({"strategies": ("bptt", "bptt")}, "method was named twice"),
        ({"cells": ("gru", "gru")}, "cell or network was named twice"),
        ({"cells": ("gru",), "networks": ("gru",)}, "cell or network was named twice"),
        ({"tasks": ("copy:8", "copy:8")}, "task was named twice"),
        ({"tasks": ("a/notes.txt", "b/notes.txt")}, "share a folder's name"),
        ({"factors": (1.0, 1.0)}, "factor was given twice"),
        ({"factors": (0.0,)}, "numbers above 0"),
        ({"factors": (float("nan"),)}, "numbers above 0"),
        ({"share": 0.0}, "part of the budget"),
        ({"share": 1.5}, "part of the budget"),
    ],
)
def test_axes_that_can_not_be(changes, says):
    assert problem(GRID) is None
    found = problem(replace(GRID, **changes))
    assert found is not None
    assert says in found


def configs(**changes):
    request = CompareRequest(methods=("bptt", "smt+dmt"), seeds=(5,), **changes)
    return configs_for(["copy32"], request)


def trial(cell, strategy, seed=5, factor=1.0):
    return Trial(Setting("copy32", cell, strategy), seed, factor)


def test_a_config_differs_in_what_the_trial_says_alone():
    budget = Budget(tokens=1000)
    base = replace(RECIPES.load("copy32")("smt+dmt", "gru"), budget=budget)
    found = configs(cells=("gru",), budget=budget).config(trial("gru", "smt+dmt", factor=3.0))
    assert found.seed == 5
    assert [s.lr for s in found.stages] == [pytest.approx(3.0 * s.lr) for s in base.stages]
    assert replace(found, seed=base.seed, stages=base.stages) == base


def test_a_run_of_the_search_gets_its_share_of_the_budget():
    of = configs(cells=("gru",), budget=Budget(tokens=1000), factors=(1.0, 3.0), share=0.25)
    assert of.config(trial("gru", "bptt", SEARCH_SEED)).budget == Budget(tokens=250)
    assert of.config(trial("gru", "bptt")).budget == Budget(tokens=1000)


def test_methods_share_all_but_their_stages():
    of = configs(cells=("gru",))
    one, other = of.config(trial("gru", "bptt")), of.config(trial("gru", "smt+dmt"))
    assert [s.method for s in one.stages] == ["bptt"]
    assert one.stages != other.stages
    assert replace(one, stages=other.stages) == other


def test_an_lstm_keeps_as_many_numbers():
    of = configs(cells=("mlp", "lstm"), changes={"student.slots": 4, "student.width": 16})
    sizes = [of.config(trial(cell, "bptt")).student for cell in ("mlp", "lstm")]
    assert [(s.slots, s.width) for s in sizes] == [(4, 16), (2, 32)]
    odd = configs(cells=("lstm",), changes={"student.slots": 1, "student.width": 7})
    assert odd.config(trial("lstm", "bptt")).student.width == 7


def test_changes_reach_the_runs_that_have_such_a_dial():
    of = configs(cells=("mlp", "gru"), networks=("s4d",), changes={"cell.scale": 0.5})
    assert of.config(trial("gru", "bptt")).student.cell_config.scale == 0.5
    assert of.config(trial("mlp", "bptt")) == configs(cells=("mlp",)).config(trial("mlp", "bptt"))
    with pytest.raises(UsageError, match=r"No run has a field 'cell\.scal'; did you mean"):
        configs(cells=("gru",), changes={"cell.scal": 0.5})


def test_a_baseline_has_one_method():
    of = configs(cells=("gru",), networks=("s4d",), changes={"network.depth": 2})
    found = [(s.cell, s.strategy) for s in of.grid.settings()]
    assert found == [("gru", "bptt"), ("gru", "smt+dmt"), ("s4d", "parallel")]
    config = of.config(trial("s4d", "parallel"))
    assert (config.baseline.name, config.baseline.depth) == ("s4d", 2)
    assert [s.method for s in config.stages] == ["parallel"]
    assert of.config(trial("gru", "bptt")).baseline is None


def test_lengths_are_put_into_names():
    assert at_length("copy", 64) == "copy:64"
    assert at_length("retrieval,symbols=4", 64) == "retrieval:64,symbols=4"
    assert at_length("retrieval:symbols=4", 64) == "retrieval:64,symbols=4"
    for task, says in (("digits", "isn't free"), ("copy32", "isn't free"), ("copy:8", "'copy'")):
        with pytest.raises(UsageError, match=says):
            at_length(task, 64)
    assert without_length("copy:64") == without_length("copy:8") == "copy"
    assert without_length("retrieval:64,symbols=4") == "retrieval,symbols=4"


def test_names_of_folders():
    assert stem("copy:64") == "copy64"
    assert stem("data/my-notes.txt") == "my-notes"
    assert stem("key_values:128,pairs=8") == "key_values128-pairs8"
    assert stem("hf:owner/name") == "name"
    assert stem("..") == "data"
