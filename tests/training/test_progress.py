"""Bars on a terminal, lines elsewhere, nothing on other ranks."""

import io
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console
from small_runs import BPTT, SMALL, begin, never

from pastforward.config import Budget
from pastforward.training import progress
from pastforward.training.callbacks import Callback
from pastforward.training.loop import Progress
from pastforward.training.progress import Bars, Lines


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)


def stage(step: int, seconds: float, of: int = 10):
    return SimpleNamespace(
        progress=Progress(step, 3000 * step, seconds),
        budget=Budget(steps=of),
        source=SimpleNamespace(signature=SimpleNamespace(length=8)),
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_is_shown(terminal, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    place = console(terminal)
    run = begin(tmp_path / "run")
    with progress.progress(SMALL, place) as shown:
        assert isinstance(shown, Bars if terminal else Lines)
        run.train([shown], never)
    text = place.file.getvalue()
    for name in ("teacher", "smt", "dmt"):
        assert name in text
    assert re.search(r"loss \d+\.\d{3} +held-out \d\.\d{3} +[\d.]+k? targets/s +0 s left", text)
    assert "100%" in text


def line(config, at, name: str, number: int) -> str:
    place = console(False)
    lines = Lines(config, place)
    lines.on_stage(name, number, len(config.stages))
    lines._shown = float("-inf")
    lines.on_step(at, {"loss": 1.0}, None)
    return place.file.getvalue().splitlines()[-1]


def test_time_left_counts_the_stages_to_come():
    # 5 of 10 steps took 30 s, in the first of three equal stages: 30 s more, then 2 x 60 s.
    assert line(SMALL, stage(5, 30.0), "teacher", 0).endswith("150 s left")
    assert line(SMALL, stage(5, 30.0), "dmt", 2).endswith("30 s left")
    assert line(BPTT, stage(1, 3600.0), "bptt", 0).endswith("9.0 h left")


def test_speed_is_in_targets_where_there_are_any():
    assert "500 targets/s" in line(SMALL, stage(5, 30.0), "teacher", 0)
    assert "500 tokens/s" in line(BPTT, stage(5, 30.0), "bptt", 0)
    assert "5.0k tokens/s" in line(BPTT, stage(5, 3.0), "bptt", 0)


def test_fewer_transitions_are_fewer_targets_a_second():
    half = replace(SMALL, smt=replace(SMALL.smt, transitions=4))
    assert "250 targets/s" in line(half, stage(5, 30.0), "teacher", 0)


def test_lines_come_now_and_then(monkeypatch):
    place = console(False)
    lines = Lines(SMALL, place)
    lines.on_stage("teacher", 0, 3)
    for step in range(1, 100):
        lines.on_step(stage(step, 1.0), {"loss": 1.0}, None)
    assert place.file.getvalue().splitlines() == ["stage 1 of 3: teacher"]


def test_other_ranks_say_nothing(monkeypatch):
    monkeypatch.setattr(progress, "rank", lambda: 1)
    with progress.progress(SMALL, console(True)) as shown:
        assert type(shown) is Callback
