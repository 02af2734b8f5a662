"""Fields of configs by dotted name."""

from dataclasses import replace

import pytest

from pastforward.cells import MLPConfig, TanhConfig
from pastforward.errors import UsageError
from pastforward.recipes import RECIPES
from pastforward.runs.sections import dial_names, difference, sections, with_changes

CONFIG = RECIPES.load("copy32")("smt+dmt", "gru")


def test_sections_hold_the_dials_of_what_a_config_names():
    found = sections(CONFIG)
    assert found["student.cell_config"] == TanhConfig(0.01)
    assert found["fit"] == CONFIG.fit
    assert "baseline" not in found
    assert "data.options" not in found  # a task has none
    plain = sections(replace(CONFIG, student=replace(CONFIG.student, cell="mlp", cell_config=None)))
    assert plain["student.cell_config"] == MLPConfig()


def test_changes_by_dotted_name():
    found = with_changes(
        CONFIG, {"student.width": 12, "cell.scale": 0.5, "fit.batch": 3, "seed": 4}
    )
    assert found.student == replace(CONFIG.student, width=12, cell_config=TanhConfig(0.5))
    assert found.fit == replace(CONFIG.fit, batch=3)
    assert found.seed == 4
    assert with_changes(CONFIG, {}) == CONFIG
    assert CONFIG.student.cell_config == TanhConfig(0.01)


def test_a_config_as_json_reads_it_is_changed_alike():
    read = replace(CONFIG, student=replace(CONFIG.student, cell_config={"scale": 0.01}))
    assert with_changes(read, {"cell.scale": 0.5}) == with_changes(CONFIG, {"cell.scale": 0.5})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"student.wdth": 3}, "no field 'student.wdth'; did you mean 'student.width'"),
        ({"cell.expand": 3}, "no field 'cell.expand'"),
        ({"student.cell": "mlp"}, "no field 'student.cell'"),
        ({"sed": 3}, "no field 'sed'; did you mean 'seed'"),
        ({"student.width": 0}, "--student.width is 0"),
        ({"cell.scale": -1.0}, "--cell.scale is -1.0"),
    ],
)
def test_changes_that_can_not_be(changes, says):
    with pytest.raises(UsageError, match=says):
        with_changes(CONFIG, changes)


def test_the_difference_makes_one_of_the_other():
    changes = {"student.width": 12, "cell.scale": 0.5, "encoder.initial_decay_time": 9.0}
    other = with_changes(CONFIG, changes)
    assert difference(CONFIG, other) == changes
    assert difference(CONFIG, CONFIG) == {}
    assert set(changes) <= set(dial_names(CONFIG))
