"""BPTT on short sequences first: which lengths, what each stage reads, and its checks."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from pastforward.config import Budget, RunConfig, Stage
from pastforward.data.labelled import labelled
from pastforward.data.opening import open_data, open_source
from pastforward.data.text import text_source
from pastforward.errors import UsageError
from pastforward.recipes.resolve import resolve
from pastforward.runs.comparison.request import CompareRequest, configs_for
from pastforward.runs.request import TrainOptions, config_for
from pastforward.training import FitConfig
from pastforward.training.callbacks import Callback
from pastforward.training.check import check
from pastforward.training.fit import FitContext, fit_stages
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer

METHOD = "bptt-curriculum"


def shorter(config: RunConfig) -> list[tuple[int | None, int | None]]:
    assert {stage.method for stage in config.stages} == {"bptt"}
    return [(stage.length, stage.prefix) for stage in config.stages]


@pytest.mark.parametrize(
    ("task", "lengths"),
    [
        ("copy:128", [16, 32, 64]),
        ("copy:100", [50]),  # a copy of 25 steps there is not
        ("copy:30", []),
        ("key_values:64", [32]),  # 16 steps don't hold its pairs and a question
        ("parity:64", [16, 32]),
    ],
)
def test_lengths_of_a_task_are_doubled_and_half_of_the_time_is_at_the_last(task, lengths):
    config = resolve(task, METHOD)
    assert shorter(config) == [*((length, None) for length in lengths), (None, None)]
    shares = [stage.share for stage in config.stages]
    assert sum(shares) == pytest.approx(1.0)
    if lengths:
        assert shares == pytest.approx([0.5 / len(lengths)] * len(lengths) + [0.5])
    assert {stage.lr for stage in config.stages} == {resolve(task, "bptt").stages[0].lr}
    check(config, open_source(task))


def test_a_recipe_has_the_curriculum_of_its_data():
    assert shorter(resolve("digits", METHOD)) == [(None, 16), (None, 32), (None, None)]
    assert shorter(resolve("copy64", METHOD)) == [(16, None), (32, None), (None, None)]


def test_windows_of_a_stream_are_made_shorter():
    source = text_source("letters", [b"abcdefgh" * 500], length=64)
    assert shorter(resolve(source, METHOD)) == [(None, 16), (None, 32), (None, None)]


def arrays(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, 5, (30, 40)), random.integers(0, 3, shape)


def test_labels_at_every_step_have_prefixes_and_one_at_the_end_has_none():
    dense, sparse = (labelled(*arrays(*shape)) for shape in ((30, 40), (30,)))
    assert shorter(resolve(dense, METHOD)) == [(None, 20), (None, None)]
    assert resolve(sparse, METHOD) == resolve(sparse, "bptt")


def test_it_is_said_where_there_is_no_shorter_form():
    told = StringIO()
    options = TrainOptions(console=Console(file=told))
    config_for(labelled(*arrays(30)), METHOD, None, options)
    assert "has no shorter form of its task" in told.getvalue()
    assert told.getvalue().count("\n") == 1
    config_for("copy:32", METHOD, None, options)
    assert told.getvalue().count("\n") == 1


def test_a_comparison_has_it_for_every_task():
    request = CompareRequest(("gru",), methods=("bptt", METHOD), seeds=(0, 1))
    configs = configs_for(["copy:64", "digits"], request)
    found = {task: len(configs.stages[task, METHOD]) for task in ("copy:64", "digits")}
    assert found == {"copy:64": 3, "digits": 3}


def small(task: str = "copy:64") -> RunConfig:
    config = resolve(task, METHOD, "gru")
    student = replace(config.student, slots=1, width=8, embed=4, hidden=8)
    fit = replace(config.fit, evaluations=1)
    return replace(config, student=student, fit=fit, budget=Budget(steps=6))


class Shapes(Callback):
    """Sequences and steps in the batches of every step."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def on_step(self, fit, terms, valid) -> None:
        (part,) = fit._parts(fit.progress.step)
        self.seen.append(tuple(part.mask.shape))


READ = [(64, 16), (64, 32), (32, 64)]
"""Of copies of 64 steps, in batches of 32 at full length."""


def test_each_stage_reads_its_length_and_evaluation_the_whole(tmp_path):
    config, shapes = small(), Shapes()
    config = replace(config, fit=replace(config.fit, batch=32))
    run = Trainer(config, RunFolder(tmp_path / "run"))
    run.folder.prepare(config, IfExists.REFUSE)
    run.train((shapes,), lambda: False)
    assert list(dict.fromkeys(shapes.seen)) == READ
    assert run.spent.tokens == sum(count * steps for count, steps in shapes.seen)
    assert run.serial_calls() == {"bptt, T = 16": 16, "bptt, T = 32": 32, "bptt": 64}
    assert run.source.signature.length == 64
    assert run.selection.evaluations == 1


def test_it_is_so_without_a_folder():
    config, shapes = small(), Shapes()
    config = replace(config, fit=replace(config.fit, batch=32))
    fit_stages(config, open_data(config.data), FitContext(callbacks=[shapes]))
    assert list(dict.fromkeys(shapes.seen)) == READ


@pytest.mark.parametrize("accumulate", [1, 3, 4])
@pytest.mark.parametrize("stage", [{"length": 48}, {"prefix": 48}, {"prefix": 7}, {"length": 500}])
def test_batches_of_a_stage_can_be_cut_into_equal_parts(accumulate, stage):
    config = RunConfig(fit=FitConfig(batch=12, accumulate=accumulate))
    found = config.during(Stage("bptt", 1.0, 1e-3, **stage), 512).fit
    assert found.batch % accumulate == 0
    assert found.batch >= 12


def test_a_stage_may_have_batches_of_its_own():
    config = RunConfig(fit=FitConfig(batch=12))
    assert config.during(Stage("teacher", 1.0, 1e-3, batch=100), 512).fit.batch == 100
    assert config.during(Stage("teacher", 1.0, 1e-3, batch=100, prefix=128), 512).fit.batch == 200


@pytest.mark.parametrize(
    ("task", "length", "says"),
    [
        ("copy:64", 65, "'bptt' has sequences of 65 steps; give it 1 to T = 64"),
        ("copy:64", 0, "'bptt' has sequences of 0 steps"),
        ("copy:64", 25, "The copy task was given .*25"),
        ("digits", 16, "16 steps were asked for of .*digits.*leave the length out, or give a pref"),
    ],
)
def test_a_length_that_cannot_be_is_told_before_anything_is_trained(task, length, says):
    config = replace(small(task), stages=(Stage("bptt", 1.0, 1e-3, length=length),))
    with pytest.raises(UsageError, match=says) as told:
        check(config, open_data(config.data))
    assert "\n" not in str(told.value)


def test_a_label_store_has_one_length():
    config = replace(small(), label_store="labels")
    with pytest.raises(UsageError, match="'bptt, T = 16' has a length of its own, and a label st"):
        check(config, open_data(config.data))
