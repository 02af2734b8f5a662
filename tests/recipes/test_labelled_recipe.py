"""The recipe for labelled sequences: any length, any kind of inputs and targets."""

from dataclasses import replace

import numpy as np
import pytest

from pastforward.config import Budget
from pastforward.data import DataConfig
from pastforward.data.labelled import LabelledSource, labelled
from pastforward.errors import UsageError
from pastforward.recipes.labelled import labelled as recipe
from pastforward.recipes.resolve import resolve
from pastforward.recipes.strategies import STRATEGIES
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer

DATA = DataConfig("arrays")


def source(length: int, kind: str = "vectors", targets: str = "classes") -> LabelledSource:
    """30 sequences; those of vectors have 2 channels."""
    random = np.random.default_rng(0)
    x = {
        "tokens": random.integers(0, 5, (30, length)),
        "vectors": random.normal(size=(30, length, 2)).astype(np.float32),
    }[kind]
    y = {
        "classes": np.arange(30) % 3,
        "numbers": random.normal(size=30),
        "every step": np.arange(30 * length).reshape(30, length) % 4,
    }[targets]
    return labelled(x, y)


def a_few_steps(data: LabelledSource, path, strategy: str = "smt+dmt") -> Trainer:
    config = resolve(data, strategy)
    fit = replace(config.fit, batch=2, evaluations=0)
    config = replace(config, fit=fit, budget=Budget(steps=len(config.stages)))
    run = Trainer(config, RunFolder(path), data)
    run.folder.prepare(config, IfExists.REFUSE)
    run.train((), lambda: False)
    return run


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "rtrl"])
def test_every_strategy(strategy, tmp_path):
    run = a_few_steps(source(20), tmp_path / "run", strategy)
    assert run.spent.step == len(run.config.stages)
    assert run.folder.student.exists()


@pytest.mark.parametrize("kind", ["tokens", "vectors"])
@pytest.mark.parametrize("targets", ["classes", "numbers", "every step"])
@pytest.mark.parametrize("length", [1, 3, 40])
def test_every_kind_of_data(kind, targets, length, tmp_path):
    run = a_few_steps(source(length, kind, targets), tmp_path / "run")
    few = targets != "every step" and length >= 4
    assert run.config.teacher.encoder == ("fourier" if few else "stack")
    assert run.spent.step == len(run.config.stages)


@pytest.mark.parametrize(
    ("length", "windows"),
    [(1, [1]), (4, [2, 4]), (20, [2, 4, 8, 16]), (2000, [2, 4, 8, 16, 32, 32])],
)
def test_windows_from_targets_grow_to_at_most_32_steps(length, windows):
    config = recipe(DATA, length)
    first, *forced = config.stages
    assert first.method == "teacher"
    assert {stage.method for stage in forced} == {"teacher-forced"}
    assert [stage.window for stage in forced] == windows
    assert [stage.lr for stage in forced] == sorted((stage.lr for stage in forced), reverse=True)
    assert sum(stage.share for stage in config.stages) == pytest.approx(1.0)


def test_batches_hold_about_as_many_positions_whatever_the_length():
    batches = {length: recipe(DATA, length).fit.batch for length in (20, 196, 784, 2000)}
    assert batches == {20: 32, 196: 20, 784: 8, 2000: 8}


@pytest.mark.parametrize("cell", ["elman", "torch-rnn"])
def test_only_students_of_targets_hold_memories_small(cell):
    taught, bptt = (recipe(DATA, 64, strategy, cell).student for strategy in ("smt+dmt", "bptt"))
    assert taught.cell_config.scale == 0.05
    assert bptt.cell_config is None
    assert recipe(DATA, 64, "smt+dmt", cell, at_end=False).student.cell_config is None


def test_an_unknown_strategy_is_refused():
    with pytest.raises(UsageError, match="There is no method 'smt-dmt'"):
        recipe(DATA, 20, "smt-dmt")
