"""Seconds of training to a standalone loss: ours, over the paper's schedule and its DMT."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.speed.measuring import Row
from benchmarks.speed.rivals import PaperDMT
from pastforward.analysis.evaluate import quick_score
from pastforward.config import Budget, RunConfig
from pastforward.data.opening import open_data
from pastforward.methods import METHODS
from pastforward.recipes import RECIPES
from pastforward.recipes.resolve import for_data
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.loop import Fit
from pastforward.training.networks import build_networks

TARGET, TRIALS = 10.0, (0.5, 1.0, 2.0, 5.0, 10.0)
EVALUATIONS = 60
"""Held-out evaluations of a run, evenly spread; they do not count as time."""


class Race(NamedTuple):
    """What both sides learn."""

    case: str
    config: RunConfig
    seconds: float
    """Budget of our side."""
    times: tuple[float, ...]
    """Budgets that the rival tries, the shortest first, in multiples of ours."""
    loss: float
    """Held-out loss to reach, in nats an output."""


class Finish(NamedTuple):
    """When a run reached the loss (None: never), its best loss, and its budget in seconds."""

    seconds: float | None
    best: float
    budget: float


def run(case: str = "") -> Iterator[Row]:
    """Same student, data, batches, rates and shares of the stages; one thread a side, side by side.

    The rival: window encoder over the whole past, one transition a sequence, then the paper's
    sequential DMT. Stages begin at shares of a budget, so a long budget delays the rival's later
    stages: it tries several budgets, and the shortest that reaches the loss counts. The row says
    where a side was stopped before it reached the loss. `case` names one of the two races.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, torch.set_num_threads, (1,)) as pool:
        sides = [
            (race(), pool.submit(_ours, race()), pool.submit(_rival, race()))
            for name, race in RACES.items()
            if case in ("", name)
        ]
        for race, ours, theirs in sides:
            yield _row(race, ours.result(), theirs.result())


def _row(race: Race, ours: Finish, theirs: Finish) -> Row:
    here, there = ours.seconds or race.seconds, theirs.seconds or race.times[-1] * race.seconds
    ratio = there / here if ours.seconds else 0.0
    stopped = [
        f"{who} was stopped at {finish.best:.3f}"
        for who, finish in (("ours", ours), ("the rival", theirs))
        if finish.seconds is None
    ]
    budgets = f"budgets of {ours.budget:.0f} s and {theirs.budget:.0f} s"
    return Row(
        "time-to-loss", race.case, ratio, ">=", TARGET, (ratio, ratio), here, there, "s",
        "; ".join([f"to {race.loss} nats an output", *stopped, budgets]),
    )  # fmt: skip


def _ours(race: Race) -> Finish:
    return _train(race.config, race.seconds, race.loss, {})


def _rival(race: Race) -> Finish:
    """The shortest budget that reaches the loss, or what the longest one reached."""
    config, finish = as_in_the_paper(race.config), Finish(None, float("inf"), 0.0)
    instead = {"dmt": PaperDMT, "teacher-forced": PaperDMT}
    for times in race.times:
        finish = _train(config, times * race.seconds, race.loss, instead)
        if finish.seconds is not None:
            break
    return finish


def _train(
    config: RunConfig, seconds: float, loss: float, instead: dict[str, type[PaperDMT]]
) -> Finish:
    """Train by all stages until the student alone reaches the loss.

    Stages whose method is a key of `instead` are trained by that class.
    """
    source = open_data(config.data)
    student, teacher = build_networks(config, source.signature)
    assert isinstance(student, Student)
    assert isinstance(teacher, Teacher)
    spent, best = 0.0, float("inf")
    for number, stage in enumerate(config.stages):
        if stage.method in instead:
            method = instead[stage.method](student, teacher)
        else:
            method = METHODS.load(stage.method)(student, teacher, config)
        budget = Budget(seconds=stage.share * seconds)
        fit = Fit(method, source, stage.lr, budget, config.fit, seed=number)
        for now in _evaluation_times(fit, spent, seconds / EVALUATIONS):
            if not METHODS[stage.method].trains_network:
                continue
            best = min(best, quick_score(student, source.held_out("valid", 64, 256)).nats)
            if best <= loss:
                return Finish(now, best, seconds)
        spent += fit.progress.seconds
    return Finish(None, best, seconds)


def _evaluation_times(fit: Fit, spent: float, every: float) -> Iterator[float]:
    """Train a stage; yields the seconds spent in all, each time `every` more have passed."""
    due = spent + every
    while fit.share() < 1.0:
        fit.step()
        now = spent + fit.progress.seconds
        if now >= due:
            due = now + every
            yield now


def as_in_the_paper(config: RunConfig) -> RunConfig:
    """The same run by the paper's schedule: window encoder, one transition and one future."""
    teacher = replace(config.teacher, encoder="window", encoder_config=None)
    return replace(
        config,
        teacher=replace(teacher, depth=3, decoder_depth=2),
        smt=replace(config.smt, transitions=1, anchors=1),
    )


def _text() -> Race:
    """Shakespeare where `PASTFORWARD_DATA` has it, else the embedded help topics of Python."""
    shakespeare = Path(os.environ.get("PASTFORWARD_DATA", "")) / "tinyshakespeare.txt"
    if shakespeare.is_file():
        return Race("Shakespeare, bytes", for_data(str(shakespeare)), 60.0, TRIALS, 2.4)
    case = "pydoc (no Shakespeare in PASTFORWARD_DATA)"
    return Race(case, RECIPES.load("pydoc")("smt+dmt"), 60.0, TRIALS, 2.4)


def _copy() -> Race:
    return Race("copy, T = 64", RECIPES.load("copy64")("smt+dmt"), 300.0, TRIALS, 1.5)


RACES = {"text": _text, "copy": _copy}
"""By case."""
