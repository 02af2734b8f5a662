"""What README and docs show runs as written, on budgets of a few steps; figures have files."""

import re
import shlex
from pathlib import Path

import pytest

import pastforward
from benchmarks.studies.readme import with_blocks
from pastforward.cli import COMMANDS
from pastforward.cli.compare_options import read_compare
from pastforward.cli.main import main
from pastforward.cli.train_options import read_train
from pastforward.data.opening import Opened
from pastforward.estimators.classifier import SequenceClassifier

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if path.name not in ("log.md", "data.md")
}
"""The log tells of commands of its day; those of data.md are run on files of their own."""
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.S)
LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```\w*\n(.*?)```", README, re.S)
    for line in block.splitlines()
]
COMMAND_LINES = [line for line in LINES if line.startswith("pastforward ")]
TARGETS = [line.split()[1] for line in LINES if line.startswith("make ")]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TREE = re.findall(r"^  ((?:[\w.]+/? )+) +L\d", CONTRIBUTING, re.M)
PROSE = re.sub(r"```.*?```", "", README, flags=re.S)
LINKS = re.findall(r"\]\((?!http)([^)#]+)\)", PROSE)
QUICK = ["--steps", "5", "--fit.batch", "4"]
SHORTER = {"train": QUICK, "label": ["--sequences", "8"]}
SHOWN = sorted({
    " ".join(line.split())
    for page in PAGES.values()
    for line in re.findall(r"`(pastforward (?:train|compare) [^`]+?)`", page)
})  # fmt: skip
"""Commands that pages say made their figures."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pastforward.runs.choosing.SECONDS", 0.05)
    (tmp_path / "my-notes.txt").write_text("Once upon a time there was a memory. " * 100)


def words(line: str) -> list[str]:
    return shlex.split(line)[1:]


def test_the_readme_shows_what_this_file_runs():
    assert len(PROGRAMS) == 1
    assert {words(line)[0] for line in COMMAND_LINES} == COMMANDS.keys()
    assert TARGETS
    assert TREE
    assert len(SHOWN) > 20


def test_figures_of_the_readme_are_those_of_the_result_files():
    assert with_blocks(README) == README


def test_the_program_runs(monkeypatch, capsys, here):
    (program,) = PROGRAMS
    asked = []

    def classifier(**given):
        asked.append(given)
        return SequenceClassifier(steps=3, **given)

    monkeypatch.setattr(pastforward, "SequenceClassifier", classifier)
    names = {}
    exec(compile(program, "README.md", "exec"), names)
    assert asked[0]["seconds"] > 0
    assert 0.0 <= float(capsys.readouterr().out.split()[0]) <= 1.0
    assert len(names["probabilities"]) == 10
    assert Path("digits.safetensors").exists()


def test_the_readme_is_a_screen_and_a_half():
    assert len(README.splitlines()) < 130
    assert not [line for line in README.splitlines() if len(line) > 100]


def understood(line: str) -> None:
    command, *rest = words(line)
    if command == "train" and "--labels" not in rest:  # those run below, where there are some
        _, config, name = read_train(rest, "", Opened())
        assert config.stages
        assert name
    elif command == "compare":
        _, request = read_compare(rest, "")
        assert request.methods


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_lines_are_understood(line, here):
    understood(line)


@pytest.mark.parametrize("line", SHOWN)
def test_commands_that_made_figures_are_understood(line, here):
    if not re.search(r"\b(mnist|tinystories|tinyshakespeare)\b", line):  # data that is not here
        understood(line)


def test_command_lines_run_one_after_the_other(here, capsys):
    first, *others = [
        line for line in COMMAND_LINES
        if ("RUN" in line or "my-notes" in line) and words(line)[0] != "serve"  # which never ends
    ]  # fmt: skip
    assert main(words(first) + QUICK) == 0, capsys.readouterr().err
    (run,) = Path("runs").iterdir()
    for line in [*others, "pastforward list"]:
        given = [word.replace("RUN", run.name) for word in words(line)]
        given += SHORTER.get(given[0], [])
        sound = (0, 1) if given[0] == "doctor" else (0,)  # the run is too short to be healthy
        assert main(given) in sound, capsys.readouterr().err
        assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("target", TARGETS)
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("entry", [name for line in TREE for name in line.split()])
def test_the_tree_is_there(entry):
    assert (ROOT / "pastforward" / entry).exists()


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()
