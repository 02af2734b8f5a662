"""L5. Seconds of training to a standalone loss: ours, over the paper's schedule and its DMT."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pastforward.bench.measuring import Row
from pastforward.bench.rivals import PaperDMT
from pastforward.config import Budget, RunConfig
from pastforward.data import open_data
from pastforward.evaluation import quick_loss
from pastforward.methods import METHODS
from pastforward.recipes import RECIPES, for_path
from pastforward.teacher import Teacher
from pastforward.training import Fit
from pastforward.training.networks import build_networks

TARGET, TIMES = 10.0, 10.0
LOOKS = 60
"""Held-out evaluations of a run, evenly spread; they do not count as time."""


class Race(NamedTuple):
    """What both sides learn, for how long ours may take, and the loss to reach, nats an output."""

    case: str
    config: RunConfig
    seconds: float
    loss: float


def run() -> Iterator[Row]:
    """Same student, data, batches, rates and shares of the stages; the rival has ten times as long.

    The rival: window encoder over the whole past, one transition a sequence, then the paper's
    sequential DMT. It is stopped at ten times our budget; "not reached" then shows in the row.
    """
    for race in races():
        ours = _race(race.config, race.seconds, race.loss, paper=False)
        theirs = _race(race.config, TIMES * race.seconds, race.loss, paper=True)
        here, there = ours.seconds or race.seconds, theirs.seconds or TIMES * race.seconds
        ratio = there / here if ours.seconds else 0.0
        says = [
            f"{who} was at {f.best:.3f} after {end:.0f} s and stopped"
            for who, f, end in (("ours", ours, here), ("the rival", theirs, there))
            if f.seconds is None
        ]
        yield Row(
            "time-to-loss", race.case, ratio, ">=", TARGET, (ratio, ratio), here, there, "s",
            "; ".join([f"to {race.loss} nats an output", *says]),
        )  # fmt: skip


class Finish(NamedTuple):
    """When a run was at the loss asked for (None: never), and its best loss."""

    seconds: float | None
    best: float


def races() -> Iterator[Race]:
    """String copy T = 64; Shakespeare where `PASTFORWARD_DATA` has it, else the embedded topics."""
    yield Race("copy, T = 64", RECIPES["copy64"]("smt+dmt"), 300.0, 1.5)
    shakespeare = Path(os.environ.get("PASTFORWARD_DATA", "")) / "tinyshakespeare.txt"
    if shakespeare.is_file():
        yield Race("Shakespeare, bytes", for_path(str(shakespeare)), 60.0, 2.4)
    else:
        case = "pydoc (no Shakespeare in PASTFORWARD_DATA)"
        yield Race(case, RECIPES["pydoc"]("smt+dmt"), 60.0, 2.4)


def _race(config: RunConfig, seconds: float, loss: float, paper: bool) -> Finish:
    """Train by all stages until the student alone is at `loss`."""
    source = open_data(config.data)
    if paper:
        config = as_in_the_paper(config)
    student, teacher = build_networks(config, source)
    assert isinstance(teacher, Teacher)
    spent, looks, best = 0.0, 0, float("inf")
    for number, stage in enumerate(config.stages):
        method = METHODS[stage.method](student, teacher, config)
        if paper and stage.method == "dmt":
            method = PaperDMT(student, teacher)
        budget = Budget(seconds=stage.share * seconds)
        fit = Fit(method, source, stage.lr, budget, config.fit, seed=number)
        while fit.share() < 1.0:
            fit.step()
            now = spent + fit.progress.seconds
            if now >= (looks + 1) * seconds / LOOKS and stage.method != "teacher":
                looks += 1
                best = min(best, quick_loss(student, source.held_out("valid", 64, 256)))
                if best <= loss:
                    return Finish(now, best)
        spent += fit.progress.seconds
    return Finish(None, best)


def as_in_the_paper(config: RunConfig) -> RunConfig:
    """The same run by the paper's schedule: window encoder, one transition and one future."""
    return replace(
        config,
        teacher=replace(config.teacher, encoder="window"),
        smt=replace(config.smt, transitions=1, anchors=1),
    )
