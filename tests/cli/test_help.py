"""Help comes at once, without torch, and teaches by examples."""

import subprocess
import sys
import time

import pytest
from command_line import call

import pastforward
from pastforward.cli import COMMANDS

BOUND = 2.0
"""Seconds; the aim is a quarter of that on an idle machine."""

PROBE = """
import sys
from pastforward.cli.main import main
code = main(sys.argv[1:])
heavy = [m for m in ("torch", "numpy", "sklearn", "matplotlib") if m in sys.modules]
sys.exit(f"imported {heavy}" if heavy else code)
"""


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_is_fast_and_light(command):
    words = [] if command is None else [command]
    taken = []
    for _ in range(3):  # the best of three, as other work may run beside
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *words, "--help"], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        taken.append(time.perf_counter() - begin)
        assert done.returncode == 0, done.stderr
        if taken[-1] < BOUND:
            break
    print(f"{command or 'pastforward'} --help: {min(taken):.2f} s")
    assert min(taken) < BOUND


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
    for option in ("--student.cell", "--smt.future", "--seconds", "--fit.compile", "--resume"):
        assert option in shown


def test_the_overview_lists_all_commands(capsys):
    shown = call(capsys, "--help").out
    assert all(entry.summary in shown for entry in COMMANDS.values())
    assert call(capsys, "--version").out.startswith("pastforward 0.")


def test_the_facade_is_lazy():
    code = "import sys, pastforward; assert 'torch' not in sys.modules; pastforward.Student"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_facade_is_whole():
    assert set(pastforward.__all__) == set(pastforward._HOME)
    assert set(pastforward.__all__) <= set(dir(pastforward))
    for name in pastforward.__all__:
        assert getattr(pastforward, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Studnet'"):
        pastforward.Studnet  # noqa: B018
