"""Help imports nothing heavy, and teaches by examples."""

import subprocess
import sys

import pytest
from command_line import call

import pastforward
from pastforward.cli import COMMANDS

PROBE = """
import sys
from pastforward.cli.main import main
code = main(sys.argv[1:])
names = "torch", "numpy", "pandas", "sklearn", "matplotlib", "rich", "jinja2"
heavy = [m for m in names if m in sys.modules]
sys.exit(f"imported {heavy}" if heavy else code)
"""
LINES = [
    "--help", *(f"{command} --help" for command in COMMANDS),
    "train copy64 --method bptt --cell gru --cell.scale 2 --help",
    "train digits --encoder delta --network s4d --help",
    "train digits --data.task classify --help",
    "train copy:8 --help", "train missing.txt --help", "train --labels nowhere --help",
    "compare copy retrieval --lengths 8 16 --cells gru lstm --networks s4d --help",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_help_imports_nothing_heavy(line):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *line.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage: pastforward" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command, capsys):
    said = call(capsys, command, "--help")
    assert said.code == 0
    assert "Examples:" in said.out
    assert f"pastforward {command}" in said.out


def test_help_of_train_shows_the_recipe(capsys):
    shown = " ".join(call(capsys, "train", "copy64", "--method", "bptt", "--help").out.split())
    assert "D, width of a slot. (default: 16)" in shown
    assert "--stages.0.method" in shown
    assert "--stages.1.method" not in shown
    for option in ("--cell ", "--smt.future", "--seconds", "--fit.compile", "--resume"):
        assert option in shown
    assert "--cell.expand INT Hidden units over the memory's size K * D. (default: 2)" in shown
    assert "--encoder.initial-decay-time" in shown


def test_help_shows_the_dials_of_what_was_chosen(capsys):
    words = ["train", "copy64", "--cell", "transformer", "--encoder", "delta", "--network", "s4d"]
    shown = " ".join(call(capsys, *words, "--help").out.split())
    for option in ("--cell.heads", "--encoder.key-dim", "--network.depth", "--data.length"):
        assert option in shown
    for option in ("--cell.expand", "--encoder.initial-decay-time", "--student.cell", "-config"):
        assert option not in shown


def test_help_shows_the_options_of_the_data(here, capsys):
    (here / "tale.txt").write_text("Once upon a time.")
    assert "--data.unit STR" in call(capsys, "train", "tale.txt", "--help").out
    assert "--data.unit" not in call(capsys, "train", "copy:8", "--help").out


def test_cells_with_the_same_dials_share_their_options(capsys):
    shown = call(capsys, "compare", "copy32", "--cells", "gru", "lstm", "--help").out
    assert "--cell.scale" in shown
    assert "--cell." not in call(capsys, "compare", "copy32", "--cells", "gru", "mlp", "--help").out


def test_the_overview_lists_all_commands(capsys):
    shown = call(capsys, "--help").out
    assert all(entry.summary in shown for entry in COMMANDS.values())
    assert call(capsys, "--version").out.startswith("pastforward 0.")


def test_the_facade_is_lazy():
    code = "import sys, pastforward; assert 'torch' not in sys.modules; pastforward.Student"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_facade_is_whole():
    assert set(pastforward.__all__) <= set(dir(pastforward))
    for name in pastforward.__all__:
        assert getattr(pastforward, name) is not None
    with pytest.raises(AttributeError, match="Studnet"):
        pastforward.Studnet  # noqa: B018


def test_a_task_decides_which_options_data_has(capsys):
    plain = " ".join(call(capsys, "train", "digits", "--help").out.split())
    assert "--data.task" in plain
    assert "--data.class-weight" not in plain
    words = ["train", "digits", "--data.task", "classify", "--help"]
    shown = " ".join(call(capsys, *words).out.split())
    for option in ("--data.class-weight", "--data.target", "--data.quantiles", "--data.permute"):
        assert option in shown
