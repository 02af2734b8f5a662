"""The choice of a factor: by the best held-out loss, runs without a finite one never win."""

import json
import math

from pastforward.runs.comparison.grid import SEARCH_SEED, Setting
from pastforward.runs.comparison.rates import Choice, best_valid, write_rates

SETTING = Setting("copy:8", "gru", "bptt")


def chosen(losses):
    return Choice(SETTING, losses).factor


def test_the_lowest_loss_wins():
    assert chosen({0.3: 2.0, 1.0: 1.0, 3.0: 1.5}) == 1.0
    assert chosen({0.3: -2.0, 1.0: 0.0}) == 0.3
    assert chosen({0.3: 1.0, 1.0: 1.0}) == 0.3
    assert chosen({0.3: 2.0, 1.0: 0.0}) == 1.0


def test_what_is_not_finite_never_wins():
    assert chosen({0.3: 2.0, 1.0: None, 3.0: math.nan}) == 0.3
    assert chosen({0.3: math.inf, 1.0: 5.0}) == 1.0
    assert chosen({0.3: None, 1.0: None}) is None
    assert chosen({}) is None


def test_a_metric_of_which_more_is_better_chooses_the_highest():
    rows = [{"valid": 2.0, "valid_r2": 0.1}, {"valid": 1.0, "valid_r2": -0.2}, {"loss": 0.3}]
    assert best_valid(rows, "r2") == 0.1
    assert best_valid([{"valid": 1.0}], "r2") is None
    found = {0.3: 0.1, 1.0: None, 3.0: 0.4}
    assert Choice(SETTING, found, "r2").factor == 3.0
    assert Choice(SETTING, found, "mse").factor == 0.3


def test_a_winner_at_the_edge_is_told():
    assert Choice(SETTING, {0.3: 2.0, 1.0: 1.0, 3.0: 0.5}).at_edge
    assert Choice(SETTING, {0.3: 0.2, 1.0: 1.0, 3.0: 0.5}).at_edge
    assert not Choice(SETTING, {0.3: 2.0, 1.0: 1.0, 3.0: 1.5}).at_edge
    assert not Choice(SETTING, {1.0: 1.0}).at_edge


def test_a_run_is_judged_by_its_best_look():
    rows = [{"loss": 0.1}, {"valid": 2.0}, {"valid": 1.5}, {"valid": math.nan}, {"valid": 1.7}]
    assert best_valid(rows) == 1.5
    assert best_valid([{"loss": 1.0}]) is None
    assert best_valid([{"valid": 0.0}, {"valid": 1.0}]) == 0.0


def test_what_was_tried_is_written(tmp_path):
    path = write_rates(tmp_path, [Choice(SETTING, {0.3: None, 1.0: 1.5})])
    assert json.loads(path.read_text()) == [
        {
            "task": "copy:8", "cell": "gru", "strategy": "bptt", "seed": SEARCH_SEED,
            "select": "loss",
            "tried": [{"factor": 0.3, "valid": None}, {"factor": 1.0, "valid": 1.5}],
            "factor": 1.0, "at_edge": True,
        }
    ]  # fmt: skip
