"""Every recipe takes its steps by every strategy; other data gets sizes that suit it."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from pastforward.baselines import BASELINES, BaselineConfig
from pastforward.cells import CELLS, StudentConfig, TanhConfig
from pastforward.config import Budget, RunConfig, Stage
from pastforward.data import DataConfig, ImageConfig
from pastforward.data.opening import open_data
from pastforward.data.tasks import TASKS
from pastforward.errors import UsageError
from pastforward.files import from_json, to_json
from pastforward.methods import METHODS
from pastforward.recipes import RECIPES
from pastforward.recipes.resolve import for_data, for_source, resolve
from pastforward.recipes.strategies import (
    DEFAULT_STRATEGY,
    STRATEGIES,
    stages,
    with_growing_windows,
    with_prefixes,
)
from pastforward.recipes.tuned import COPY_RATES, copy
from pastforward.student_file import load_network
from pastforward.teacher.encoders import ENCODERS
from pastforward.training.check import check
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer

ALL = [*STRATEGIES, "parallel"]
"""Strategies, and a method that is one by itself, of another network."""

LEAST = {
    "copy": 4, "reversed_copy": 4, "retrieval": 4, "key_values": 24, "stack": 2, "modular": 2,
    "parity": 2, "s5": 2, "recency": 2, "primacy": 2,
}  # fmt: skip
"""The shortest sequences of each task."""


def a_few_steps(config: RunConfig, path) -> Trainer:
    """At least one a stage."""
    fit = replace(config.fit, batch=2, evaluations=0)
    config = replace(config, fit=fit, budget=Budget(steps=len(config.stages) + 1))
    run = Trainer(config, RunFolder(path))
    run.folder.prepare(config, IfExists.REFUSE)
    run.train((), lambda: False)
    return run


def recipe_of(name: str, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp") -> RunConfig:
    return RECIPES.load(name)(strategy, cell)


def by(recipe: str, strategy: str) -> RunConfig:
    """The recipe's config, where the strategy needs it with another network."""
    config = recipe_of(recipe, strategy)
    if strategy == "parallel":
        return replace(config, baseline=BaselineConfig("mingru"))
    if strategy == "rtrl":
        return replace(config, student=replace(config.student, slots=1, width=8, embed=8))
    return config


MNIST = ("smnist14", "smnist", "psmnist")
"""Recipes of data that is not in a package."""


@pytest.mark.parametrize("strategy", ALL)
@pytest.mark.parametrize("recipe", [name for name in RECIPES if name not in MNIST])
def test_every_recipe_by_every_strategy(recipe, strategy, tmp_path):
    run = a_few_steps(by(recipe, strategy), tmp_path / "run")
    assert run.spent.step == run.config.budget.steps == len(run.config.stages) + 1
    assert run.folder.student.exists()
    assert list(run.serial_calls()) == [stage.name for stage in run.config.stages]
    asked = [stage.method for stage in run.config.stages if stage.method != "teacher-forced"]
    assert asked == [method for method, _ in STRATEGIES.get(strategy, [(strategy, 1.0)])]


@pytest.mark.parametrize(
    ("length", "windows"), [(4, []), (5, [4]), (32, [4, 8, 16]), (33, [4, 8, 16, 32])]
)
def test_windows_grow_until_they_are_the_sequence(length, windows):
    usual = stages("smt+dmt+bptt", COPY_RATES)
    grown = with_growing_windows(usual, length)
    follow = [stage for stage in grown if stage.method == "teacher-forced"]
    assert [stage.window for stage in follow] == windows
    assert [stage.share for stage in follow] == sorted(stage.share for stage in follow)
    assert sum(stage.share for stage in grown) == pytest.approx(1.0)
    others = [(stage.method, stage.lr) for stage in grown if stage.method != "teacher-forced"]
    assert others == [(stage.method, stage.lr) for stage in usual]
    (dmt,) = (stage for stage in grown if stage.method == "dmt")
    assert dmt.share + sum(stage.share for stage in follow) == pytest.approx(0.3)


def test_longer_windows_have_lower_rates():
    grown = with_growing_windows(stages("smt+dmt", COPY_RATES), 128, 1e-3, full_up_to=16)
    rates = {s.window: s.lr for s in grown if s.method == "teacher-forced"}
    assert rates == pytest.approx({4: 1e-3, 8: 1e-3, 16: 1e-3, 32: 5e-4, 64: 2.5e-4})
    dmt = {length: copy("smt+dmt", "elman", length).stages[-1].lr for length in (64, 256, 512)}
    assert dmt[64] == COPY_RATES["dmt"]
    assert dmt[256] == pytest.approx(2 * dmt[512])


@pytest.mark.parametrize(
    ("length", "width"), [(32, 16), (100, 26), (128, 32), (256, 64), (512, 96)]
)
def test_memories_of_copies_grow_with_the_string_in_pairs(length, width):
    assert copy("smt+dmt", "elman", length).student.width == width


def test_long_copies_learn_single_steps_from_frozen_targets():
    short, long = (copy("smt+dmt", "elman", length) for length in (256, 258))
    assert "smt-frozen" not in [stage.method for stage in short.stages]
    joint, frozen = long.stages[1:3]
    assert (joint.method, frozen.method) == ("smt", "smt-frozen")
    assert joint.share < frozen.share


def test_a_stage_has_windows_of_its_own(tmp_path):
    run = a_few_steps(recipe_of("copy32"), tmp_path / "run")
    forced = {f"teacher-forced {window}": window for window in (4, 8, 16)}
    assert run.serial_calls() == {"teacher": 0, "smt": 1} | forced | {"dmt": 32}
    none = replace(run.config, stages=(Stage("bptt", 1.0, 1e-3, 8),))
    with pytest.raises(UsageError, match="'bptt' has windows of 8 steps and uses no windows"):
        check(none, open_data(none.data))
    wide = replace(run.config, stages=(Stage("teacher-forced", 1.0, 1e-3, 33),))
    with pytest.raises(
        UsageError, match="'teacher-forced' has windows of 33 steps; give it 1 to T = 32"
    ):
        check(wide, open_data(wide.data))


def test_a_teacher_begins_with_short_sequences_at_high_rates():
    usual = stages("two-stage", COPY_RATES)
    begun = with_prefixes(usual, [16, 128], 512)
    assert [(stage.method, stage.prefix) for stage in begun] == [
        ("teacher", 16), ("teacher", 128), ("teacher", None), ("smt-frozen", 128), ("dmt", None),
    ]  # fmt: skip
    first, second, whole = begun[:3]
    assert first.share == second.share == pytest.approx(whole.share / 1.5)
    assert first.share + second.share + whole.share == pytest.approx(usual[0].share)
    rates = [stage.lr / usual[0].lr for stage in begun[:3]]
    assert rates == pytest.approx([1.0, 0.5, 0.25])
    assert with_prefixes(usual, [], 512) == usual
    assert with_prefixes(usual, [16], 64)[2].prefix is None  # targets of 64 steps are few enough


def test_a_stage_reads_prefixes_of_more_sequences(tmp_path):
    config = recipe_of("copy32", "smt")
    parts = (Stage("teacher", 0.5, 1e-3, prefix=8), Stage("smt", 0.5, 1e-3))
    run = a_few_steps(replace(config, data=DataConfig("parity:32"), stages=parts), tmp_path / "run")
    assert list(run.serial_calls()) == ["teacher, prefixes of 8", "smt"]
    assert run.spent.step == 3
    assert run.spent.tokens in (2 * 4 * 8 + 2 * 32, 4 * 8 + 2 * 2 * 32)
    with pytest.raises(UsageError, match="'teacher' has prefixes of 33 steps; give it 1 to T"):
        check(replace(run.config, stages=(Stage("teacher", 1.0, 1e-3, prefix=33),)), run.source)
    late = replace(run.config, data=DataConfig("copy:32"), stages=parts)
    with pytest.raises(UsageError, match="No output counts in the first 8 steps"):
        check(late, open_data(late.data))


@pytest.mark.parametrize(
    "name", ["parity:512,every=64", "parity:64,every=60", "s5:128,every=20", "modular:64,every=60"]
)
def test_prefixes_hold_questions(name):
    config = for_data(name)
    check(config, open_data(config.data))


@pytest.mark.parametrize(("symbols", "keys"), [(4, 16), (16, 16), (17, 32), (64, 64), (999, 128)])
def test_key_values_have_a_row_for_every_key(symbols, keys):
    config = for_data(f"key_values:64,pairs=4,symbols={symbols}")
    assert config.teacher.encoder_config.key_dim == keys
    assert config.student.width == 4 * keys


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_in_a_recipe(cell, tmp_path):
    run = a_few_steps(recipe_of("copy32", cell=cell), tmp_path / "run")
    student = run.config.student
    assert (student.cell, student.slots * student.width) == (cell, 8 * 16)
    assert student.slots == (2 if cell == "lstm" else 8)
    bounded = CELLS[cell].config is TanhConfig
    assert student.cell_config == (TanhConfig(0.01) if bounded else None)


def test_a_cell_of_the_users_own_in_a_recipe(tmp_path):
    for cell in ("torch.nn:GRUCell", "own_cells:Leaky"):
        run = a_few_steps(recipe_of("copy32", cell=cell), tmp_path / cell)
        assert run.config.student == StudentConfig(cell, 8, 16)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_in_a_recipe(encoder, tmp_path):
    config = recipe_of("copy32", "smt")
    teacher = replace(config.teacher, encoder=encoder, encoder_config=None)
    a_few_steps(replace(config, teacher=teacher), tmp_path / "run")


@pytest.mark.parametrize("recipe", RECIPES)
def test_strategies_of_a_recipe_differ_in_their_stages_alone(recipe):
    configs = [recipe_of(recipe, strategy) for strategy in ALL]
    assert len({repr(replace(config, stages=())) for config in configs}) == 1
    for strategy, config in zip(ALL, configs, strict=True):
        if strategy == "parallel":
            with pytest.raises(UsageError, match=r"trains a baseline, .* give --network"):
                check(config)
        check(by(recipe, strategy))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_baseline_by_another_strategy_is_refused(strategy):
    config = replace(recipe_of("copy32", strategy), baseline=BaselineConfig("s4d"))
    with pytest.raises(UsageError, match=r"'s4d' is a baseline, .* leave out --method, or train a"):
        check(config)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "mamba2"])
def test_every_baseline_in_a_recipe(name, tmp_path):
    config = replace(recipe_of("copy32", "parallel"), baseline=BaselineConfig(name))
    run = a_few_steps(config, tmp_path / "run")
    network, codec = load_network(run.folder.student)
    assert codec == run.source.codec
    assert network.width == run.network.width
    assert run.teacher is None
    assert not run.folder.teacher.exists()


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        (("distill",), "put a stage 'transformer' before it"),
        (("distill", "transformer"), "put a stage 'transformer' before it"),
        (
            ("transformer", "smt"),
            "'transformer' has another teacher than stage 'smt', and a run has",
        ),
        (
            ("transformer", "dmt", "distill"),
            "'transformer' has another teacher than stage 'dmt'",
        ),
    ],
)
def test_stages_without_the_teacher_that_they_need_are_refused(stages, says):
    share = 1.0 / len(stages)
    config = replace(
        recipe_of("copy32", "bptt"), stages=tuple(Stage(name, share, 1e-3) for name in stages)
    )
    with pytest.raises(UsageError, match=says):
        check(config)


def through_json(config: RunConfig) -> RunConfig:
    return from_json(RunConfig, json.loads(json.dumps(to_json(config))))


def plain(config: RunConfig) -> dict:
    return json.loads(json.dumps(to_json(config)))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_configs_survive_json(recipe, strategy):
    config = recipe_of(recipe, strategy)
    for budget in (config.budget, Budget(steps=5), Budget(tokens=10**12)):
        expected = replace(config, budget=budget)
        assert plain(through_json(expected)) == plain(expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies_divide_the_whole_budget(strategy):
    assert sum(share for _, share in STRATEGIES[strategy]) == pytest.approx(1.0)
    assert all(method in METHODS for method, _ in STRATEGIES[strategy])


def test_rates_are_those_of_the_method_or_of_the_one_in_its_row():
    rates = {"teacher": 1.0, "smt": 2.0, "dmt": 3.0, "bptt": 4.0}
    assert [stage.lr for stage in stages("two-stage", rates)] == [1.0, 2.0, 3.0]
    assert [stage.lr for stage in stages("tbptt", rates)] == [4.0]
    assert [stage.lr for stage in stages("tbptt", rates | {"tbptt": 5.0})] == [5.0]
    assert [stage.lr for stage in stages("distill", rates)] == [1.0, 4.0]
    finetuned = [stage.lr for stage in stages("smt+dmt+bptt", rates)]
    assert finetuned == pytest.approx([1.0, 2.0, 3.0, 0.3 * 4.0])
    assert [stage.lr for stage in stages("smt+dmt+bptt", rates | {"finetune": 6.0})][-1] == 6.0
    assert [stage.lr for stage in stages("parallel", rates)] == [1.0]
    assert [stage.lr for stage in stages("dmt-unroll", rates)] == [3.0]
    assert stages("mine:Method", rates) == (Stage("mine:Method", 1.0, 2.0),)
    with pytest.raises(UsageError, match="There is no method 'two-stages'; did you mean 'two-stag"):
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
    config = for_data(str(data / name))
    check(config, open_data(config.data))
    assert plain(through_json(config)) == plain(config)
    assert open_data(through_json(config).data).signature == open_data(config.data).signature
    run = a_few_steps(config, data / "run")
    assert length in (None, run.source.signature.length)
    assert config.student.width == width


def test_what_the_user_said_of_the_data_stays(data):
    asked = DataConfig(str(data / "big.npy"), options=ImageConfig(pool=4))
    assert for_data(asked).data.options.pool == 4
    assert for_data(str(data / "big.npy")).data.options.pool == 2
    asked = DataConfig(str(data / "big.npy"), options=ImageConfig(levels=4))
    assert for_data(asked).data.options == ImageConfig(4, 2)
    assert for_data(DataConfig(str(data / "long.txt"), length=16)).data.length == 16
    assert for_data(str(data / "prime.npy")).data.options is None  # nothing divides it
    assert for_data("copy:16", "bptt").stages[0].method == "bptt"


@pytest.mark.parametrize(
    "name", [*TASKS, *(f"{family}:{least}" for family, least in LEAST.items())]
)
def test_every_task_has_a_recipe(name, tmp_path):
    config = for_data(name)
    assert config.dmt.distill == 0.0  # for images it is 1
    check(config, open_data(config.data))
    assert plain(through_json(config)) == plain(config)
    a_few_steps(config, tmp_path / "run")


def test_a_future_reaches_from_a_pixel_to_the_one_below_the_next(data):
    config = for_data(str(data / "big.npy"))
    codec = open_data(config.data).codec
    assert config.smt.future == 2 * codec.width > 16


def test_tuned_recipes_are_those_of_their_tasks():
    for name, data in (("copy32", "copy:32"), ("copy64", "copy:64"), ("retrieval128", "retrieval")):
        tuned = recipe_of(name)
        assert replace(for_data(data), data=tuned.data) == tuned


def test_memory_grows_with_what_is_held():
    def size(name):
        student = for_data(name).student
        return student.slots * student.width

    for small, large in (
        ("copy:64", "copy:128"),
        ("copy:32", "copy:32,symbols=256"),
        ("key_values:128,pairs=4", "key_values:128,pairs=32,symbols=32"),
        ("stack:64,depth=4", "stack:64,depth=32"),
        ("recency:64,half=4", "recency:64,half=16"),
    ):
        assert size(small) < size(large)
    assert for_data("parity:64,every=16").smt.future == 64
    assert for_data("parity:64").smt.future < 16


def test_a_source_in_memory_has_the_recipe_of_its_kind(data):
    source = open_data(DataConfig("copy:16"))
    described = DataConfig("memory:mine")
    assert for_source(source, described) == replace(for_data("copy:16"), data=described)
    text = open_data(DataConfig(str(data / "long.txt")))
    config = for_source(text, described, "bptt", "gru")
    assert config == replace(for_data(str(data / "long.txt"), "bptt", "gru"), data=described)


OWN = """
from pastforward.recipes.tuned import copy
from pastforward.data.opening import open_source
from pastforward.data.source import Source

def recipe(strategy, cell):
    return copy(strategy, cell, length=8)

def source() -> Source:
    return open_source("parity:8")

def nothing(strategy, cell):
    return 3

number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_recipes.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_recipes", None)


def test_what_a_user_names_is_a_config(own, data):
    assert resolve("copy32", "bptt", "gru") == recipe_of("copy32", "bptt", "gru")
    assert resolve("copy:16") == for_data("copy:16")
    path = str(data / "long.txt")
    assert resolve(path, data=DataConfig("other", 16)) == for_data(DataConfig(path, 16))
    assert resolve("own_recipes:recipe", "bptt") == copy("bptt", length=8)
    by_source = resolve("own_recipes:source")
    assert by_source == replace(for_data("parity:8"), data=DataConfig("own_recipes:source"))
    source = open_data(DataConfig("copy:16"))
    assert resolve(source) == replace(for_data("copy:16"), data=DataConfig("memory:" + source.name))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("copy23", "There is no recipe or file 'copy23'; did you mean 'copy"),
        ("digit", "did you mean 'digits'"),
        ("absent.txt", "no data 'absent.txt', by path or by name; check the path"),
        ("own_recipes:nothing", "'own_recipes:nothing' gave int where a RunConfig was expected"),
        ("own_recipes:number", "'own_recipes:number' gave int where a RunConfig was expected"),
        ("own_recipes:absent", "module 'own_recipes' has no 'absent'"),
        ("no_such:module", "'no_such:module' can't be imported"),
    ],
)
def test_what_is_neither_recipe_nor_data_is_told(name, says, own):
    with pytest.raises(UsageError, match=says) as told:
        resolve(name)
    assert "\n" not in str(told.value)
