"""Every recipe takes its steps by every way; sizes for other data are chosen by looking at it."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from pastforward.baselines import BASELINES
from pastforward.cells import CELLS
from pastforward.cli.list import ENCODERS
from pastforward.config import Budget, DataConfig, RunConfig, Stage, StudentConfig
from pastforward.data.opening import open_data
from pastforward.data.tasks.naming import TASKS
from pastforward.errors import UsageError
from pastforward.files import from_json
from pastforward.methods import METHODS
from pastforward.recipes import RECIPES
from pastforward.recipes.auto import for_path
from pastforward.recipes.copy import RATES
from pastforward.recipes.strategies import (
    DEFAULT_STRATEGY,
    STRATEGIES,
    from_prefixes,
    growing,
    stages,
)
from pastforward.training.check import check
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.progress import Silent
from pastforward.training.trainer import Trainer

LEAST = {
    "copy": 4, "reversed_copy": 4, "retrieval": 4, "key_values": 24, "stack": 2, "modular": 2,
    "parity": 2, "s5": 2, "recency": 2, "primacy": 2,
}  # fmt: skip
"""The shortest sequences of each task."""


def two_steps(config: RunConfig, path) -> Trainer:
    fit = replace(config.fit, batch=2, evaluations=0)
    config = replace(config, fit=fit, budget=Budget(steps=2))
    run = Trainer(config, RunFolder(path))
    run.folder.prepare(config, IfExists.REFUSE)
    run.train(Silent(), lambda: False)
    return run


def by(recipe: str, strategy: str) -> RunConfig:
    """The recipe's config, where the way needs it with another network."""
    config = RECIPES[recipe](strategy)
    if strategy == "parallel":
        return replace(config, student=replace(config.student, cell="mingru"))
    if strategy == "rtrl":
        return replace(config, student=replace(config.student, slots=1, width=8, embed=8))
    return config


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_by_every_way(recipe, strategy, tmp_path):
    run = two_steps(by(recipe, strategy), tmp_path / "run")
    assert run.spent.step >= 2
    assert run.folder.student.exists()
    assert list(run.serial_calls()) == [stage.name for stage in run.config.stages]
    asked = [stage.method for stage in run.config.stages if stage.method != "teacher-forced"]
    assert asked == [method for method, _ in STRATEGIES[strategy]]


@pytest.mark.parametrize(
    ("length", "windows"), [(4, []), (5, [4]), (32, [4, 8, 16]), (33, [4, 8, 16, 32])]
)
def test_windows_grow_until_they_are_the_sequence(length, windows):
    usual = stages("smt+dmt+bptt", RATES)
    grown = growing(usual, length)
    follow = [stage for stage in grown if stage.method == "teacher-forced"]
    assert [stage.window for stage in follow] == windows
    assert [stage.share for stage in follow] == sorted(stage.share for stage in follow)
    assert sum(stage.share for stage in grown) == pytest.approx(1.0)
    others = [(stage.method, stage.lr) for stage in grown if stage.method != "teacher-forced"]
    assert others == [(stage.method, stage.lr) for stage in usual]
    (dmt,) = (stage for stage in grown if stage.method == "dmt")
    assert dmt.share + sum(stage.share for stage in follow) == pytest.approx(0.3)


def test_a_stage_has_windows_of_its_own(tmp_path):
    run = two_steps(RECIPES["copy32"](DEFAULT_STRATEGY), tmp_path / "run")
    calls = {"teacher": 0, "smt": 1, "follow 4": 4, "follow 8": 8, "follow 16": 16, "dmt": 32}
    assert run.serial_calls() == calls
    none = replace(run.config, stages=(Stage("bptt", 1.0, 1e-3, 8),))
    with pytest.raises(UsageError, match="'bptt' has windows of 8 steps and cuts nothing into win"):
        check(none, open_data(none.data))
    wide = replace(run.config, stages=(Stage("teacher-forced", 1.0, 1e-3, 33),))
    with pytest.raises(
        UsageError, match="'teacher-forced' has windows of 33 steps; give it 1 to T = 32"
    ):
        check(wide, open_data(wide.data))


def test_a_teacher_begins_with_short_sequences_at_high_rates():
    usual = stages("two-stage", RATES)
    begun = from_prefixes(usual, [16, 128], 512)
    assert [(stage.method, stage.prefix) for stage in begun] == [
        ("teacher", 16), ("teacher", 128), ("teacher", None), ("smt-frozen", 128), ("dmt", None),
    ]  # fmt: skip
    first, second, whole = begun[:3]
    assert first.share == second.share == pytest.approx(whole.share / 1.5)
    assert first.share + second.share + whole.share == pytest.approx(usual[0].share)
    rates = [stage.lr / usual[0].lr for stage in begun[:3]]
    assert rates == pytest.approx([1.0, 0.5, 0.25])
    assert from_prefixes(usual, [], 512) == usual
    assert from_prefixes(usual, [16], 64)[2].prefix is None  # labels of 64 steps are few enough


def test_a_stage_reads_prefixes_of_more_sequences(tmp_path):
    config = RECIPES["copy32"]("smt")
    parts = (Stage("teacher", 0.5, 1e-3, prefix=8), Stage("smt", 0.5, 1e-3))
    run = two_steps(replace(config, data=DataConfig("parity:32"), stages=parts), tmp_path / "run")
    assert list(run.serial_calls()) == ["teacher, prefixes of 8", "smt"]
    assert run.spent.tokens == 4 * 8 + 2 * 32
    with pytest.raises(UsageError, match="'teacher' reads prefixes of 33 steps; give it 1 to T"):
        check(replace(run.config, stages=(Stage("teacher", 1.0, 1e-3, prefix=33),)), run.source)
    late = replace(run.config, data=DataConfig("copy:32"), stages=parts)
    with pytest.raises(UsageError, match="No output counts in the first 8 steps"):
        check(late, open_data(late.data))


@pytest.mark.parametrize(
    "name", ["parity:512,every=64", "parity:64,every=60", "s5:128,every=20", "modular:64,every=60"]
)
def test_prefixes_hold_questions(name):
    config = for_path(name)
    check(config, open_data(config.data))


@pytest.mark.parametrize(("symbols", "keys"), [(4, 16), (16, 16), (17, 32), (64, 64), (999, 128)])
def test_key_values_have_a_row_for_every_key(symbols, keys):
    config = for_path(f"key_values:64,pairs=4,symbols={symbols}")
    assert config.teacher.key_dim == keys
    assert config.student.width == 4 * keys


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_in_a_recipe(cell, tmp_path):
    slots = 2 if cell == "lstm" else 4
    config = replace(RECIPES["copy32"](DEFAULT_STRATEGY), student=StudentConfig(cell, slots, 16))
    two_steps(config, tmp_path / "run")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_in_a_recipe(encoder, tmp_path):
    config = RECIPES["copy32"]("smt")
    two_steps(replace(config, teacher=replace(config.teacher, encoder=encoder)), tmp_path / "run")


@pytest.mark.parametrize("recipe", RECIPES)
def test_ways_of_a_recipe_differ_in_their_stages_alone(recipe):
    configs = [RECIPES[recipe](strategy) for strategy in STRATEGIES]
    assert len({repr(replace(config, stages=())) for config in configs}) == 1
    for strategy, config in zip(STRATEGIES, configs, strict=True):
        if strategy == "parallel":
            with pytest.raises(UsageError, match=r"'parallel' trains a peer, .* give --cell s4d"):
                check(config)
        check(by(recipe, strategy))


@pytest.mark.parametrize(
    "strategy", [strategy for strategy in STRATEGIES if strategy != "parallel"]
)
def test_a_peer_by_another_way_is_refused(strategy):
    config = RECIPES["copy32"](strategy)
    config = replace(config, student=replace(config.student, cell="s4d"))
    with pytest.raises(UsageError, match=r"'s4d' is a peer, .* add --method parallel"):
        check(config)


@pytest.mark.parametrize("cell", [name for name in BASELINES if name != "mamba2"])
def test_every_peer_in_a_recipe(cell, tmp_path):
    config = RECIPES["copy32"]("parallel")
    run = two_steps(replace(config, student=replace(config.student, cell=cell)), tmp_path / "run")
    assert run.teacher is None
    assert not run.folder.teacher.exists()


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        (("distill",), "put a stage 'transformer' before it"),
        (("distill", "transformer"), "put a stage 'transformer' before it"),
        (("transformer", "smt"), "another guide than the teacher of stage 'smt'"),
        (("transformer", "dmt", "distill"), "another guide than the teacher of stage 'dmt'"),
    ],
)
def test_stages_that_ask_guides_they_do_not_have_are_refused(stages, says):
    share = 1.0 / len(stages)
    config = replace(
        RECIPES["copy32"]("bptt"), stages=tuple(Stage(name, share, 1e-3) for name in stages)
    )
    with pytest.raises(UsageError, match=says):
        check(config)


def test_the_size_of_a_peer_is_that_of_a_cell():
    config = RECIPES["copy32"]("parallel")
    config = replace(config, student=replace(config.student, cell="s4d", like="mingru"))
    with pytest.raises(UsageError, match=r"--student.like is 'mingru', which is no cell"):
        check(config)


def through_json(config: RunConfig) -> RunConfig:
    return from_json(RunConfig, json.loads(json.dumps(asdict(config))))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_configs_survive_json(recipe, strategy):
    config = RECIPES[recipe](strategy)
    for budget in (config.budget, Budget(steps=5), Budget(tokens=10**12)):
        expected = replace(config, budget=budget)
        assert through_json(expected) == expected


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ways_share_out_the_whole_budget(strategy):
    assert sum(share for _, share in STRATEGIES[strategy]) == pytest.approx(1.0)
    assert all(method in METHODS for method, _ in STRATEGIES[strategy])


def test_rates_are_those_of_the_method_or_its_kin():
    rates = {"teacher": 1.0, "smt": 2.0, "dmt": 3.0, "bptt": 4.0}
    assert [stage.lr for stage in stages("two-stage", rates)] == [1.0, 2.0, 3.0]
    assert [stage.lr for stage in stages("tbptt", rates)] == [4.0]
    assert [stage.lr for stage in stages("tbptt", rates | {"tbptt": 5.0})] == [5.0]
    assert [stage.lr for stage in stages("distill", rates)] == [1.0, 4.0]
    finetuned = [stage.lr for stage in stages("smt+dmt+bptt", rates)]
    assert finetuned == pytest.approx([1.0, 2.0, 3.0, 0.3 * 4.0])
    assert [stage.lr for stage in stages("smt+dmt+bptt", rates | {"finetune": 6.0})][-1] == 6.0
    with pytest.raises(UsageError, match="did you mean 'two-stage'"):
        stages("two-stages", rates)


@pytest.fixture
def data(tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "long.txt").write_text("All happy families are alike. " * 500)
    (tmp_path / "short.txt").write_text("All happy families are alike. " * 10)
    (tmp_path / "wide.txt").write_text("".join(map(chr, range(200, 1200))) * 4)
    np.save(tmp_path / "big.npy", generator.integers(0, 256, (30, 28, 28)))
    np.save(tmp_path / "small.npy", generator.random((30, 6, 6)))
    np.save(tmp_path / "prime.npy", generator.random((30, 19, 19)))
    rows = np.cumsum(generator.normal(size=(300, 3)), 0)
    np.savetxt(tmp_path / "walk.csv", rows, delimiter=",", header="a,b,c", comments="")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "length", "width"),
    [
        ("long.txt", 128, 32),
        ("short.txt", 4, 32),
        ("wide.txt", 99, 64),
        ("big.npy", 14 * 14, 32),
        ("small.npy", 36, 32),
        ("walk.csv", None, 32),
    ],
)
def test_sizes_are_chosen_from_the_data(name, length, width, data):
    config = for_path(str(data / name))
    check(config, open_data(config.data))
    assert through_json(config) == config
    run = two_steps(config, data / "run")
    assert length in (None, run.source.signature.length)
    assert config.student.width == width


def test_what_the_user_said_of_the_data_stays(data):
    assert for_path(DataConfig(str(data / "big.npy"), pool=4)).data.pool == 4
    assert for_path(DataConfig(str(data / "long.txt"), length=16)).data.length == 16
    assert for_path(str(data / "prime.npy")).data.pool == 1  # nothing divides it
    assert for_path("copy:16", "bptt").stages[0].method == "bptt"


@pytest.mark.parametrize(
    "name", [*TASKS, *(f"{family}:{least}" for family, least in LEAST.items())]
)
def test_every_task_has_a_recipe(name, tmp_path):
    config = for_path(name)
    assert config.dmt.distill == 0.0  # for data that is no task it is 1
    check(config, open_data(config.data))
    assert through_json(config) == config
    two_steps(config, tmp_path / "run")


def test_a_future_reaches_from_a_pixel_to_the_one_below_the_next(data):
    config = for_path(str(data / "big.npy"))
    codec = open_data(config.data).codec
    assert config.smt.future == 2 * codec.width > 16


def test_tuned_recipes_are_those_of_their_tasks():
    for name, data in (("copy32", "copy:32"), ("copy64", "copy:64"), ("retrieval128", "retrieval")):
        tuned = RECIPES[name](DEFAULT_STRATEGY)
        assert replace(for_path(data), data=tuned.data) == tuned


def test_memory_grows_with_what_is_held():
    def size(name):
        student = for_path(name).student
        return student.slots * student.width

    for small, large in (
        ("copy:64", "copy:128"),
        ("copy:32", "copy:32,symbols=256"),
        ("key_values:128,pairs=4", "key_values:128,pairs=32,symbols=32"),
        ("stack:64,depth=4", "stack:64,depth=32"),
        ("recency:64,half=4", "recency:64,half=16"),
    ):
        assert size(small) < size(large)
    assert for_path("parity:64,every=16").smt.future == 64
    assert for_path("parity:64").smt.future < 16
