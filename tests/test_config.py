"""What a run is: budgets and how they are divided, stages, and configs through their file."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastforward.baselines import BaselineConfig
from pastforward.cells import StudentConfig, TanhConfig
from pastforward.config import Budget, RunConfig, Stage
from pastforward.data import DataConfig, TextConfig
from pastforward.errors import UsageError, above_zero, at_least, one_of, option
from pastforward.files import from_json, to_json
from pastforward.methods import DistillConfig, DMTConfig, SMTConfig, TBPTTConfig
from pastforward.student import build_student
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import DeltaConfig, LinearConfig, WindowConfig
from pastforward.training import FitConfig
from pastforward.training.folder import RunFolder
from pastforward.types import Signature, Tokens


@pytest.mark.parametrize(
    "budget",
    [
        {},
        {"steps": 0},
        {"steps": -3},
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"steps": 3, "tokens": 3},
        {"steps": 3, "seconds": 1.0},
    ],
)
def test_a_budget_is_one_amount_above_zero(budget):
    with pytest.raises(UsageError, match="give exactly one of them, above 0"):
        Budget(**budget)


@pytest.mark.parametrize(
    ("budget", "half"),
    [
        (Budget(steps=9), Budget(steps=4)),
        (Budget(tokens=8), Budget(tokens=4)),
        (Budget(seconds=9.0), Budget(seconds=4.5)),
        (Budget(steps=1), Budget(steps=1)),
        (Budget(tokens=1), Budget(tokens=1)),
    ],
)
def test_a_part_of_a_budget_is_in_its_unit(budget, half):
    assert budget.part(0.5) == half


WEIGHTS = st.lists(st.integers(1, 1000), min_size=1, max_size=9)


def shares_of(weights: list[int]) -> list[float]:
    return [weight / sum(weights) for weight in weights]


def steps_of(parts) -> list[int]:
    return [0 if part is None else part.steps for part in parts]


@given(st.integers(1, 10_000), WEIGHTS)
def test_steps_are_divided_without_remainder(steps, weights):
    shares = shares_of(weights)
    counts = steps_of(Budget(steps=steps).divide(shares))
    assert len(counts) == len(weights)
    assert sum(counts) == steps
    if steps >= len(weights):
        assert min(counts) >= 1
    # Rounded, and up to one step for each stage that would have had none.
    for count, share in zip(counts, shares, strict=True):
        assert abs(count - share * steps) <= len(weights) + 1


@given(st.integers(1, 10**9), WEIGHTS)
def test_tokens_are_divided_to_rounding(tokens, weights):
    parts = Budget(tokens=tokens).divide(shares_of(weights))
    counts = [part.tokens for part in parts if part and part.tokens]
    assert len(counts) == len(weights)
    assert abs(sum(counts) - tokens) <= len(weights)


@given(st.floats(1e-3, 1e6), WEIGHTS)
def test_seconds_add_up(seconds, weights):
    parts = Budget(seconds=seconds).divide(shares_of(weights))
    spans = [part.seconds for part in parts if part and part.seconds]
    assert len(spans) == len(weights)
    assert sum(spans) == pytest.approx(seconds)


def test_steps_by_example():
    four = [0.12, 0.28, 0.3, 0.3]
    assert steps_of(Budget(steps=4).divide(four)) == [1, 1, 1, 1]
    assert steps_of(Budget(steps=100).divide(four)) == [12, 28, 30, 30]
    assert sum(steps_of(Budget(steps=3).divide(four))) == 3
    assert steps_of(Budget(steps=1).divide([1.0])) == [1]


def test_a_stage_says_its_window_and_prefix():
    assert Stage("smt", 1.0, 1e-3).name == "smt"
    assert Stage("dmt", 1.0, 1e-3, 8).name == "dmt 8"
    assert Stage("dmt", 1.0, 1e-3, 8, 16).name == "dmt 8, prefixes of 16"
    assert Stage("bptt", 1.0, 1e-3, length=32).name == "bptt, T = 32"


FULL = RunConfig(
    data=DataConfig("x.txt", 16, TextConfig("bytes")),
    student=StudentConfig("gru", 2, 8, cell_config=TanhConfig(0.25)),
    baseline=BaselineConfig("mingru", width=12),
    teacher=TeacherConfig("delta", encoder_config=DeltaConfig(2, 3, 1)),
    fit=FitConfig(clip=float("inf")),
    budget=Budget(tokens=10**12),
    stages=(Stage("smt", 0.5, 1e-3, prefix=8), Stage("dmt", 0.5, 1e-3, 4, length=12)),
    label_store="runs/x/labels",
)


@pytest.mark.parametrize("config", [RunConfig(), FULL])
def test_a_config_survives_its_file(config, tmp_path):
    folder = RunFolder(tmp_path)
    folder.record(config, None)
    found = folder.read_config()
    assert to_json(found) == json.loads(json.dumps(to_json(config)))
    dials = replace(config.student, cell_config=None)
    assert replace(found.student, cell_config=None) == dials
    assert (found.fit, found.budget, found.stages) == (config.fit, config.budget, config.stages)
    assert from_json(RunConfig, to_json(found)) == found


def test_dials_of_a_cell_come_back_from_json():
    found = from_json(RunConfig, json.loads(json.dumps(to_json(FULL))))
    what = Signature(Tokens(5), Tokens(5), 8)
    assert build_student(found.student, what).cell.scale == 0.25


OLD = {
    "data": {"source": "copy:8", "length": None, "unit": "auto", "levels": 16, "pool": 1},
    "student": {
        "cell": "gru", "slots": 2, "width": 8, "embed": 4, "hidden": 8, "scale": 1.0, "like": "mlp",
    },
    "teacher": {"encoder": "state", "width": 16, "depth": 1, "heads": 2, "distil_depth": 4},
    "smt": {"covariance": 0.0, "pull": 1.0},
    "dmt": {"window": 4, "own": 0.5, "visits": 2},
    "fit": {"batch": 4},
    "budget": {"steps": 9, "tokens": None, "seconds": None},
    "stages": [{"method": "follow", "share": 1.0, "lr": 0.01, "window": 4, "prefix": None}],
    "seed": 0,
}  # fmt: skip
"""The config of a run folder of an earlier version."""


@pytest.mark.parametrize("cut", [(), ("data",), ("data", "student", "teacher", "smt")])
def test_a_run_of_an_earlier_version_is_refused_in_one_line(cut, tmp_path):
    content = {name: value for name, value in OLD.items() if name not in cut}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(UsageError) as told:
        RunFolder(tmp_path).read_config()
    message = str(told.value)
    assert "config.json can't be read as a run's config" in message
    assert "another version" in message
    assert "train again" in message
    assert "\n" not in message


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null", '{"wheels": 4}', '{"fit": 3}'])
def test_what_is_no_config_is_refused_in_one_line(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match="can't be read as a run's config") as told:
        RunFolder(tmp_path).read_config()
    assert "\n" not in str(told.value)
    with pytest.raises(UsageError, match="holds no run"):
        RunFolder(tmp_path / "absent").read_config()


def test_a_config_out_of_range_in_a_file_says_its_option(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"dmt": {"window": 0}}))
    with pytest.raises(UsageError, match=r"--dmt.window is 0; give a finite number, 1 or more"):
        RunFolder(tmp_path).read_config()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SMTConfig(future=0), "--smt.future is 0; give a finite number, 1 or more"),
        (lambda: SMTConfig(noise=-0.1), "--smt.noise is -0.1; give a finite number, 0 or more"),
        (lambda: SMTConfig(decoding=float("nan")), "--smt.decoding is nan"),
        (lambda: DMTConfig(replay_steps=0), "--dmt.replay-steps is 0"),
        (lambda: DMTConfig(on_policy_fraction=1.5), "--dmt.on-policy-fraction is 1.5; .* 0 to 1"),
        (lambda: TBPTTConfig(0), "--tbptt.window is 0"),
        (lambda: DistillConfig(0), "--distill.depth is 0"),
        (lambda: TeacherConfig(decoder_depth=0), "--teacher.decoder-depth is 0"),
        (lambda: TeacherConfig(query_key_scale=0.0), "--teacher.query-key-scale is 0.0; .*above 0"),
        (lambda: LinearConfig(float("inf")), "--encoder.initial-decay-time is inf"),
        (lambda: DeltaConfig(key_dim=0), "--encoder.key-dim is 0"),
        (lambda: DeltaConfig(householder_steps=-1), "--encoder.householder-steps is -1"),
        (lambda: WindowConfig(0), "--encoder.context is 0"),
        (lambda: FitConfig(batch=0), "--fit.batch is 0"),
        (lambda: FitConfig(warmup=-1), "--fit.warmup is -1"),
        (lambda: FitConfig(clip=0.0), "--fit.clip is 0.0; give a norm above 0, inf for no cl"),
        (lambda: FitConfig(clip=float("nan")), "--fit.clip is nan"),
        (lambda: FitConfig(batch=9, accumulate=2), "batch of 9 can't be cut into 2 equal parts"),
        (lambda: FitConfig(optimiser="mouon"), "--fit.optimiser is 'mouon'; did you mean 'muon'"),
        (lambda: FitConfig(schedule="cosin"), "--fit.schedule is 'cosin'; did you mean 'cosine'"),
        (lambda: FitConfig(compile="yes"), "--fit.compile is 'yes'; choose one of auto, on, off"),
        (lambda: FitConfig(precision="float16"), "--fit.precision is 'float16'"),
        (lambda: BaselineConfig(depth=0), "--network.depth is 0"),
        (lambda: DataConfig(length=0), "--data.length is 0"),
        (lambda: TextConfig("words"), "--data.unit is 'words'"),
    ],
)
def test_ranges_are_checked_where_the_dials_stand(make, says):
    with pytest.raises(UsageError, match=says):
        make()


def test_ranges_by_hand():
    class Dials:
        some_size, none = 3, None

    assert option("fit", "weight_decay") == "--fit.weight-decay"
    assert option("", "weight_decay") == "--weight-decay"
    at_least(Dials, "x", 3, "some_size", "none")
    above_zero(Dials, "x", "some_size", "none")
    with pytest.raises(UsageError, match=r"--x.some-size is 3; give a finite number, 4 or more"):
        at_least(Dials, "x", 4, "none", "some_size")
    with pytest.raises(UsageError, match=r"--x.none is 'None'; choose one of a, b"):
        one_of(Dials, "x", "none", ("a", "b"))


def test_defaults_are_a_run():
    assert sum(stage.share for stage in RunConfig().stages) == pytest.approx(1.0)
