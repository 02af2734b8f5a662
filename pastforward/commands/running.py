"""L6. One run from config to report, for the commands that train."""

import dataclasses
import datetime
import os
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from rich.console import Console

from pastforward.commands import Stopped
from pastforward.commands.runs import load_summary, write_summary
from pastforward.config import RunConfig
from pastforward.evaluation import RunSummary, draw_samples, evaluate
from pastforward.files import write_json
from pastforward.hardware import processor
from pastforward.peers import PEERS, wanted_parameters
from pastforward.training import (
    Existing,
    Interrupted,
    NonFiniteLoss,
    Run,
    RunFolder,
    Watcher,
    make_watcher,
    stop_signals,
)
from pastforward.training.ranks import rank, wait, world
from pastforward.types import UsageError

Watching = Callable[[RunConfig, Console], AbstractContextManager[Watcher]]
"""Who opens a watcher for a run."""


def consoles() -> tuple[Console, Console]:
    """For results and for news on the way; other ranks than 0 say nothing."""
    quiet = os.environ.get("RANK", "0") != "0"
    return Console(quiet=quiet), Console(stderr=True, quiet=quiet)


def existing(resume: bool, overwrite: bool) -> Existing:
    """What the user said about a run that is already there."""
    if resume and overwrite:
        raise UsageError("Both --resume and --overwrite were given; give one of them.")
    if resume:
        return Existing.RESUME
    return Existing.OVERWRITE if overwrite else Existing.REFUSE


def train_run(
    config: RunConfig, folder: RunFolder, there: Existing, news: Console, again: str,
    watching: Watching = make_watcher,
) -> RunSummary:  # fmt: skip
    """Train, evaluate and save; `again` is the command that goes on after a stop.

    A finished run that is resumed is only read. Nothing is written before all sizes were checked.
    Raises `UsageError`, `Stopped` and `NonFiniteLoss`.
    """
    run = Run(config, folder)
    if there is Existing.RESUME and finished(config, folder):
        news.print(f"{folder.path} is finished.", highlight=False)
        return load_summary(folder)
    if rank() == 0:
        folder.prepare(config, there)
    wait()  # until the folder is there
    if there is Existing.RESUME:
        run.restore()
        if rank() == 0:
            folder.record(config)
    with watching(config, news) as watcher:
        _train(run, watcher, again)
    try:
        summary = _summarise(run)
    except KeyboardInterrupt:
        raise Stopped(f"trained, not yet evaluated; go on with: {again}", 130) from None
    if rank() == 0:
        write_summary(folder, summary)
    wait()  # leave together: a rank that goes early takes its connections with it
    return summary


def attempt(
    config: RunConfig, folder: RunFolder, news: Console, again: str, watching: Watching
) -> None:
    """`train_run` for one run of many: begun or gone on with, and a loss without limit is kept."""
    there = Existing.RESUME if folder.config.exists() else Existing.REFUSE
    wait()  # no rank makes the folder before all have looked
    try:
        train_run(config, folder, there, news, again, watching)
    except NonFiniteLoss as error:
        if rank() == 0:
            write_json(folder.failure, {"error": str(error)})
        wait()


def again(command: str, argv: list[str]) -> str:
    """The command line that goes on with what `command` began."""
    kept = [word for word in argv if word not in ("--resume", "--overwrite")]
    return shlex.join(["pastforward", command, *kept, "--resume"])


def finished(config: RunConfig, folder: RunFolder) -> bool:
    """Is a run that was begun with `config` through? Raises `UsageError` for another config."""
    folder.prepare(config, Existing.RESUME)
    if not folder.evaluation.exists():
        return False
    budget = folder.read_config().budget
    if budget != config.budget:
        raise UsageError(
            f"{folder.path} is finished, with {budget}; train longer with --overwrite or under "
            "another --name."
        )
    return True


def _train(run: Run, watcher: Watcher, again: str) -> None:
    with stop_signals() as asked:
        try:
            run.train(watcher, asked)
        except Interrupted:
            message = f"stopped and saved; go on with: {again}"
            raise Stopped(message, 128 + (asked.signal or 15)) from None
        except UsageError as error:  # sizes were checked long ago: it could not be saved
            raise UsageError(f"{error} Then go on with: {again}") from error


def _summarise(run: Run) -> RunSummary:
    if rank() != 0:
        return RunSummary(run.folder.path.name, {})
    found = evaluate(run.student, run.teacher, run.source)
    few = next(iter(run.source.held_out("test", 10, 10)))
    return RunSummary(
        name=run.folder.path.name,
        evaluation=found.to_json(),
        metrics=run.folder.metrics.read(),
        facts=_facts(run),
        samples=draw_samples(run.student, run.source.codec, few),
    )


def _facts(run: Run) -> dict[str, Any]:
    return {
        "parameters": sum(p.numel() for p in run.student.parameters()),
        "seconds": round(run.spent.seconds, 2),
        "steps": run.spent.step,
        "tokens": run.spent.tokens,
        "serial_calls": run.serial_calls(),
        "calls": run.spent.calls,
        "length": run.source.signature.length,
        "hardware": _hardware(run.device),
        "threads": torch.get_num_threads(),
        "date": datetime.date.today().isoformat(),
        "data": run.source.describe(),
        "config": dataclasses.asdict(run.config),
    } | _size_wanted(run)


def _size_wanted(run: Run) -> dict[str, int]:
    """Of a peer: the parameters of the student whose size it takes."""
    if run.config.student.cell not in PEERS:
        return {}
    return {"wanted": wanted_parameters(run.config.student, run.source.signature)}


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        threads = torch.get_num_threads()
        name = f"{processor()}, {threads} thread{'s' * (threads > 1)}"
    return f"{world()} x {name}" if world() > 1 else name
