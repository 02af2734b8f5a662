"""Bad input: exit code 2, one clear line, nothing written."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from command_line import QUICK, TINY, call, refused

FAST = ["copy:8", *QUICK, *TINY]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--smt.future 9", r"F is 9.* T = 8 steps.*--smt.future 8 or less"),
        ("--smt.future 0", "--smt.future is 0; give a finite number, 1 or more"),
        ("--smt.anchors 9", "anchors is 9"),
        ("--smt.transitions 9", "transitions is 9"),
        ("--smt.noise -1", "--smt.noise is -1"),
        ("--smt.noise nan", "--smt.noise is nan"),
        ("--smt.uniformity inf", "--smt.uniformity is inf; give a finite"),
        ("--dmt.window 9", "k is 9, more than"),
        ("--dmt.window 0", "--dmt.window is 0"),
        ("--dmt.replay-steps 0", "--dmt.replay-steps is 0"),
        ("--dmt.on-policy-fraction 1.5", "--dmt.on-policy-fraction is 1.5"),
        ("--student.slots 0", "--student.slots is 0"),
        ("--student.width -1", "--student.width is -1"),
        ("--student.embed 0", "--student.embed is 0"),
        ("--cell gruu", "no cell 'gruu'; did you mean 'gru'"),
        ("--cell lstm --student.slots 3", "K = 2 slots, .* K = 3"),
        ("--cell transformer --student.width 6", "4 heads.* width of 6"),
        ("--cell transformer --student.width 6 --cell.heads 5", "5 heads.* width of 6"),
        ("--cell transformer --cell.depth 0", "--cell.depth is 0; give a finite number, 1 or more"),
        ("--encoder register", "no encoder 'register'; did you mean 'registers'"),
        ("--teacher.heads 5", "no multiple"),
        ("--encoder window --encoder.context 9", "Tc is 9|--encoder.context is 9"),
        ("--encoder delta --encoder.key-dim 0", "--encoder.key-dim is 0"),
        ("--encoder delta --encoder.key-dm 2", "Perhaps you meant: --encoder.key-dim"),
        ("--fit.batch 0", "--fit.batch is 0"),
        ("--fit.accumulate 3", "can't be cut into 3 equal parts"),
        ("--fit.clip 0", "--fit.clip is 0"),
        ("--cell gru --cell.scale 0", "--cell.scale is 0"),
        ("--cell gru --cell.scale nan", "--cell.scale is nan"),
        ("--fit.prefix 0", "--fit.prefix is 0; give a finite number, 1 or more"),
        ("--fit.prefix 9", "The prefix is 9, more than"),
        ("--fit.prefix 3", "No output counts in the first 3 steps"),
        (
            "--encoder.initial-decay-time 0",
            "--encoder.initial-decay-time is 0.0; give a finite number above 0",
        ),
        ("--teacher.query-key-scale nan", "--teacher.query-key-scale is nan"),
        ("--fit.schedule linear", "--fit.schedule is 'linear'"),
        ("--fit.compile yes", "--fit.compile is 'yes'; .*on"),
        ("--fit.precision bf16", "--fit.precision is 'bf16'"),
        ("--stages.0.method smtt", "no method 'smtt'; did you mean 'smt'"),
        ("--stages.0.share 0.9", "add up to 1.7"),
        ("--stages.1.lr 0", "Stage 'smt' has share 0.3 and lr 0"),
        ("--method smt-dmt", "no method 'smt-dmt'; did you mean 'smt\\+dmt'"),
        ("--cell s4d", "'s4d' is a baseline; give it as --network s4d"),
        ("--network s5", "no baseline 's5'; did you mean 's4d'"),
        ("--network gru", "no baseline 'gru'"),
        ("--network s4d --network.depth 0", "--network.depth is 0"),
        ("--network s4d --method bptt", "'s4d' is a baseline, which method 'bptt' can't train"),
        ("--method parallel", "trains a baseline, and the run has a student; give --network"),
        ("--method rtrl --student.width 512", "RTRL would carry .*; take a smaller memory"),
        ("--method distill --teacher.heads 5", "16 is no multiple"),
        ("--stages.0.method distill", "put a stage 'transformer' before it"),
        ("--targets kees", "no targets 'kees'; did you mean 'keys'"),
        ("--targets auto --fit.batch 0", "--fit.batch is 0"),
        ("--targets auto --smt.futre 3", "Perhaps you meant: --smt.future"),
        ("--seconds 5", "steps=3, tokens=None, seconds=5"),
        ("--seed 99999999999999999999999", "--seed is 9+; give"),
        ("--resume --overwrite", "Both --resume and --overwrite"),
        ("--resume", "no run"),
        ("--data.length 7", "copy:8.* length 7"),
        ("--data.unit chars", "Unrecognized options: --data.unit"),
    ],
)
def test_options_of_train(options, says, here, capsys):
    assert_says(refused(capsys, "train", *FAST, *options.split()), says)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        ("--steps 0", "steps=0"),
        ("--seconds -1", "seconds=-1"),
        ("--tokens 0", "tokens=0"),
        ("--seconds nan", "seconds=nan"),
    ],
)
def test_budgets(budget, says, here, capsys):
    assert_says(refused(capsys, "train", "copy:8", *budget.split()), says)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("digit", "no recipe or file 'digit'; did you mean 'digits'"),
        ("copy33", "did you mean 'copy32'"),
        ("missing.txt", "no data 'missing.txt'.*check the path"),
        ("no/such/folder", "check the path"),
        ("empty.txt", "is empty"),
        ("short.txt", "too short"),
        ("flat.npy", r"shape \(5,\)"),
        ("deep.npy", r"shape \(5, 2, 2, 2\)"),
        ("bright.npy", "from 0 to 300"),
        ("negative.npy", "from -1"),
        ("hole.npy", "from nan"),
        ("endless.npy", "to inf"),
        ("cut.npy", "no readable array"),
        ("words.npy", "give integers or floats"),
        ("binary.txt", "binary"),
        ("folder", "holds no text"),
        ("copy:31", "even"),
        ("key_vales:128,pairs=8", "no recipe or file .*did you mean 'key_values'"),
        ("key_values:128,pair=8", "no axis 'pair'; did you mean 'pairs'"),
        ("key_values:128,pairs=many", "pairs 'many'; give a whole number"),
        ("hf:", "hf:NAME"),
    ],
)
def test_data(data, says, here, capsys):
    (here / "empty.txt").touch()
    (here / "short.txt").write_text("abc")
    (here / "binary.txt").write_bytes(b"\x00\x01" * 400)
    (here / "folder").mkdir()
    np.save(here / "flat.npy", np.zeros(5))
    np.save(here / "deep.npy", np.zeros((5, 2, 2, 2)))
    np.save(here / "bright.npy", np.arange(301).repeat(4)[: 300 * 4 + 4].reshape(-1, 2, 2))
    np.save(here / "negative.npy", np.arange(-1, 39).reshape(10, 2, 2))
    np.save(here / "words.npy", np.full((30, 2, 2), "grey"))
    for name, value in (("hole", np.nan), ("endless", np.inf)):
        images = np.full((30, 2, 2), 0.5)
        images[7, 1, 1] = value
        np.save(here / f"{name}.npy", images)
    (here / "cut.npy").write_bytes((here / "hole.npy").read_bytes()[:200])
    before = sorted(here.iterdir())
    assert_says(refused(capsys, "train", data, "--steps", "3"), says)
    assert_says(refused(capsys, "compare", data, "--steps", "3"), says)
    assert sorted(here.iterdir()) == before


def test_targets_of_a_comparison_are_named(here, capsys):
    says = refused(capsys, "compare", "copy:8", "--steps", "3", "--targets", "auto")
    assert_says(says, "name them here: linear, keys")
    assert not list(here.iterdir())


def test_a_length_beyond_the_text(here, capsys):
    (here / "text.txt").write_text("abcdefgh" * 40)
    for length in ("400", "0", "-3"):
        refused(capsys, "train", "text.txt", "--steps", "3", "--data.length", length)
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--data.levels 300", "300 grey levels"),
        ("--data.levels 1", "1 grey levels"),
        ("--data.pool 3", "Pool 3 was given for images of 4 x 4"),
        ("--data.columns north", "Unrecognized options: --data.columns"),
    ],
)
def test_options_of_images(options, says, here, capsys):
    np.save(here / "images.npy", np.full((30, 4, 4), 0.5))
    assert_says(refused(capsys, "train", "images.npy", *QUICK, *options.split()), says)
    assert not (here / "runs").exists()


def test_a_folder_without_config_is_no_run(here, capsys):
    (here / "runs" / "bare").mkdir(parents=True)
    (here / "runs" / "bare" / "student.safetensors").write_bytes(b"mine")
    for command in ("eval", "generate", "report"):
        assert_says(refused(capsys, command, "bare"), "no run 'bare'")
    assert_says(refused(capsys, "train", *FAST, "--name", "bare", "--resume"), "no config.json")
    assert_says(refused(capsys, "train", *FAST, "--name", "bare"), "made by no run")
    assert [p.name for p in (here / "runs").rglob("*")] == ["bare", "student.safetensors"]


@pytest.mark.parametrize("temperature", ["nan", "inf", "-1"])
def test_temperatures(temperature, here, capsys):
    line = refused(capsys, "generate", "any", "--temperature", temperature)
    assert_says(line, f"Temperature {float(temperature)}")


def test_methods_of_compare(here, capsys):
    line = refused(capsys, "compare", "copy:8", "--methods", "bptt", "stm", "--steps", "3")
    assert_says(line, "no method 'stm'; did you mean 'smt'")
    assert_says(refused(capsys, "compare", "copy:8", "--methods", "smt", "smt"), "named twice")
    assert_says(refused(capsys, "compare", "copy:8", "--resume"), "no comparison to resume")
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("train copy:8 --student.wdth 3", "--student.wdth, 3; Perhaps you meant: --student.width"),
        ("train copy:8 --seconds soon", "--seconds: .*'soon'.; see pastforward train --help"),
        ("train copy:8 --method", "Missing value for argument '--method'"),
        ("train", "Name a RECIPE or PATH first, as in: pastforward train digits"),
        ("train --method bptt digits", "Name a RECIPE or PATH first"),
        ("train copy:8 copy:16", "Unrecognized options: copy:16"),
        ("compare copy:8 --methods", "No method was named after --methods"),
        ("compare --methods bptt digits", "No task was named"),
        ("compare copy:8 --cels gru", "Perhaps you meant: --cells"),
        ("eval", "Missing from pastforward eval: RUN"),
        ("eval x --jsn", "Perhaps you meant: --json"),
        ("report", "No run was named"),
        ("generate x --tokens many", "--tokens: .*'many'; see pastforward generate --help"),
        ("generate x --temprature 1", "Perhaps you meant: --temperature"),
        ("list everything", "Unrecognized options: everything; see pastforward list --help"),
    ],
)
def test_what_the_option_parser_refuses(words, says, here, capsys):
    line = refused(capsys, *words.split())
    assert_says(line, says)
    assert not re.search("[─│╭╰]|helptext|Unrecognized options; ", line)
    assert not list(here.iterdir())


@pytest.mark.parametrize("way_out", ["utf-8", "ascii"])
def test_one_line_on_any_console(way_out, here):
    """What the option parser draws depends on the console; the line does not."""
    done = subprocess.run(
        [sys.executable, "-m", "pastforward", "list", "--evrything"], capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": way_out, "COLUMNS": "200"}, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    expected = "Unrecognized options: --evrything; see pastforward list --help."
    assert done.stderr == f"pastforward: {expected}\n"


def test_commands(here, capsys):
    assert_says(refused(capsys, "trian", "digits"), "did you mean 'train'")
    assert call(capsys).code == 2


@pytest.mark.parametrize("command", ["eval", "generate", "report"])
def test_runs_that_are_not_there(command, here, capsys):
    assert_says(refused(capsys, command, "digits"), "no run 'digits'.*train one first")


def test_a_place_that_can_not_be_written(here, capsys):
    (here / "runs").write_text("not a folder")
    assert_says(refused(capsys, "train", *FAST), "Can't write runs/copy8-smt\\+dmt")


def assert_says(line: str, says: str) -> None:
    assert re.search(says, line), line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digits", "--data.task", "clasify"], "--data.task is 'clasify'; did you mean 'classify'"),
        (["copy:8", "--data.task", "classify"], "was given for 'copy:8', which says itself what"),
        (["digits", "--data.task", "classify", "--data.series", "id"], "--data.series has no use"),
        (["digits", "--data.task", "classify", "--data.quantiles", "0.5"], "targets are classes"),
        (["digits", "--data.task", "classify", "--data.length", "9"], "sequence has 64 steps"),
    ],
)
def test_labelled_data(capsys, words, said):
    assert said in refused(capsys, "train", *words, "--steps", "1")
