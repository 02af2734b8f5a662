"""Guides that lead from data to a finished task: all blocks run in their order, in 3 steps."""

import re
import shlex
from pathlib import Path

import pytest

import pastforward
from pastforward.cli.main import main
from pastforward.estimators.forecaster import Forecaster

GUIDES = Path(__file__).parents[2] / "docs/guides"
WHOLE = "forecasting.md", "text.md"
LESS = {"train": ["--steps", "3", "--fit.batch", "4"], "forecast": ["--paths", "4"],
        "backtest": ["--paths", "4", "--stride", "48"]}  # fmt: skip


def blocks_of(name: str) -> list[tuple[str, str]]:
    """Language ('' for commands) and content of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", (GUIDES / name).read_text("utf-8"), re.S | re.M)


def run_command(line: str) -> None:
    program, *words = shlex.split(line.partition(" # ")[0])
    assert program == "pastforward"
    if "--seconds" in words:
        place = words.index("--seconds")
        del words[place : place + 2]
    assert main([*words, *LESS.get(words[0], [])]) == 0


@pytest.mark.parametrize("name", WHOLE)
def test_a_guide_runs_from_its_first_block_to_its_last(name, tmp_path, monkeypatch, capsys):
    if name == "text.md":
        pytest.importorskip("tokenizers", reason="needs pip install pastforward[tokens]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pastforward, "Forecaster", type("Few", (), {
        "__new__": lambda _, **given: Forecaster(steps=3, **given), "load": Forecaster.load,
    }))  # fmt: skip
    blocks = blocks_of(name)
    assert len(blocks) >= 4
    for language, content in blocks:
        if language == "python":
            exec(compile(content, name, "exec"), {})
        else:
            assert language == ""
            for line in content.replace("\\\n", "").splitlines():
                run_command(line)
        assert capsys.readouterr().out.strip()
