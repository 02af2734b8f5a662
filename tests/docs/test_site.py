"""The site builds without a warning, and what its guides show runs as written, on few steps."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import pastforward
from pastforward.cli.compare_options import read_compare
from pastforward.cli.main import main
from pastforward.cli.train_options import read_train
from pastforward.config import Budget
from pastforward.data.opening import Opened
from pastforward.estimators.classifier import SequenceClassifier

ROOT = Path(__file__).parents[2]
WHOLE = "forecasting.md", "text.md"
"""Guides whose blocks `test_whole_guides` runs, one after the other."""
GUIDES = [path for path in (ROOT / "docs/guides").glob("*.md") if path.name not in WHOLE]
PAGES = [ROOT / "docs/index.md", ROOT / "docs/concepts.md", *GUIDES]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(PAGES)}
PROGRAMS = [
    pytest.param(program, id=f"{name} {n}")
    for name, text in TEXTS.items()
    for n, program in enumerate(re.findall(r"^```python\n(.*?)^```", text, re.S | re.M))
]
LINES = sorted({
    line.partition("#")[0].strip()
    for text in TEXTS.values()
    for line in text.splitlines()
    if line.startswith("pastforward ")
})  # fmt: skip
OF_A_RUN = [line for line in LINES if "RUN" in line.split()]


def words(line: str) -> list[str]:
    return shlex.split(line)[1:]


def test_the_guides_show_what_this_file_runs():
    assert len(PROGRAMS) >= 4
    assert len(OF_A_RUN) >= 3
    assert len(LINES) - len(OF_A_RUN) >= 5


def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", tmp_path]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    api = (tmp_path / "api/index.html").read_text(encoding="utf-8")
    assert "if_exists" in api
    assert "Raises" in api


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_the_guides_run(program, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pastforward, "Budget", lambda seconds: Budget(steps=3))
    monkeypatch.setattr(
        pastforward, "SequenceClassifier", lambda **given: SequenceClassifier(steps=3, **given)
    )
    exec(compile(program, "guide", "exec"), {})
    assert capsys.readouterr().out.strip()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.setattr("pastforward.runs.choosing.SECONDS", 0.05)
    (tmp_path / "my-notes.txt").write_text("Once upon a time there was a memory. " * 100)


@pytest.mark.parametrize("line", [line for line in LINES if line not in OF_A_RUN])
def test_commands_of_the_guides_are_understood(line, here, capsys):
    command, *rest = words(line)
    if command == "train":
        assert read_train(rest, "", Opened())[1].stages
    elif command == "compare":
        assert read_compare(rest, "")[1].methods
    else:  # --help, list
        assert main([command, *rest]) == 0
        assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("line", OF_A_RUN)
def test_commands_on_a_run_are_those_that_the_readme_shows_and_its_test_runs(line):
    commands = re.findall(r"^pastforward (\w+) RUN", README, re.M)
    assert words(line)[0] in commands
