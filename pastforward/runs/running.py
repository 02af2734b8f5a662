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

from pastforward.errors import Stopped
from pastforward.runs.opening import load_summary, write_summary
from pastforward.config import RunConfig
from pastforward.report.summary import RunSummary
from pastforward.analysis.samples import draw_samples
from pastforward.analysis.evaluate import evaluate
from pastforward.files import write_json
from pastforward.hardware import processor
from pastforward.baselines import BASELINES, wanted_parameters
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Interrupted, Trainer, Watcher
from pastforward.training.loop import NonFiniteLoss
from pastforward.training.progress import make_watcher
from pastforward.training.stopping import stop_signals
from pastforward.training.distributed import rank, wait, world
from pastforward.errors import UsageError

Watching = Callable[[RunConfig, Console], AbstractContextManager[Watcher]]
"""Who opens a watcher for a run."""


def consoles() -> tuple[Console, Console]:
    """For results and for news on the way; other ranks than 0 say nothing."""
    quiet = os.environ.get("RANK", "0") != "0"
    return Console(quiet=quiet), Console(stderr=True, quiet=quiet)


def existing(resume: bool, overwrite: bool) -> IfExists:
    """What the user said about a run that is already there."""
    if resume and overwrite:
        raise UsageError("Both --resume and --overwrite were given; give one of them.")
    if resume:
        return IfExists.RESUME
    return IfExists.OVERWRITE if overwrite else IfExists.REFUSE


def train_run(
    config: RunConfig, folder: RunFolder, if_exists: IfExists, stderr: Console, resume_command: str,
    watching: Watching = make_watcher,
) -> RunSummary:  # fmt: skip
    """Train, evaluate and save; `again` is the command that goes on after a stop.

    A finished run that is resumed is only read. Nothing is written before all sizes were checked.
    Raises `UsageError`, `Stopped` and `NonFiniteLoss`.
    """
    run = Trainer(config, folder)
    if if_exists is IfExists.RESUME and finished(config, folder):
        stderr.print(f"{folder.path} is finished.", highlight=False)
        return load_summary(folder)
    if rank() == 0:
        folder.prepare(config, if_exists)
    wait()  # until the folder is there
    if if_exists is IfExists.RESUME:
        run.restore()
        if rank() == 0:
            folder.record(config)
    with watching(config, stderr) as watcher:
        _train(run, watcher, resume_command)
    try:
        summary = _summarise(run)
    except KeyboardInterrupt:
        raise Stopped(f"trained, not yet evaluated; go on with: {resume_command}", 130) from None
    if rank() == 0:
        write_summary(folder, summary)
    wait()  # leave together: a rank that goes early takes its connections with it
    return summary


def attempt(
    config: RunConfig, folder: RunFolder, stderr: Console, resume_command: str, watching: Watching
) -> None:
    """`train_run` for one run of many: begun or gone on with, and a loss without limit is kept."""
    if_exists = IfExists.RESUME if folder.config.exists() else IfExists.REFUSE
    wait()  # no rank makes the folder before all have looked
    try:
        train_run(config, folder, if_exists, stderr, resume_command, watching)
    except NonFiniteLoss as error:
        if rank() == 0:
            write_json(folder.failure, {"error": str(error)})
        wait()


def resume_command(command: str, argv: list[str]) -> str:
    """The command line that goes on with what `command` began."""
    kept = [word for word in argv if word not in ("--resume", "--overwrite")]
    return shlex.join(["pastforward", command, *kept, "--resume"])


def finished(config: RunConfig, folder: RunFolder) -> bool:
    """Is a run that was begun with `config` through? Raises `UsageError` for another config."""
    folder.prepare(config, IfExists.RESUME)
    if not folder.evaluation.exists():
        return False
    budget = folder.read_config().budget
    if budget != config.budget:
        raise UsageError(
            f"{folder.path} is finished, with {budget}; train longer with --overwrite or under "
            "another --name."
        )
    return True


def _train(run: Trainer, watcher: Watcher, resume_command: str) -> None:
    with stop_signals() as asked:
        try:
            run.train(watcher, asked)
        except Interrupted:
            message = f"stopped and saved; go on with: {resume_command}"
            raise Stopped(message, 128 + (asked.signal or 15)) from None
        except UsageError as error:  # sizes were checked long ago: it could not be saved
            raise UsageError(f"{error} Then go on with: {resume_command}") from error


def _summarise(run: Trainer) -> RunSummary:
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


def _facts(run: Trainer) -> dict[str, Any]:
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


def _size_wanted(run: Trainer) -> dict[str, int]:
    """Of a peer: the parameters of the student whose size it takes."""
    if run.config.student.cell not in BASELINES:
        return {}
    return {"wanted": wanted_parameters(run.config.student, run.source.signature)}


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        threads = torch.get_num_threads()
        name = f"{processor()}, {threads} thread{'s' * (threads > 1)}"
    return f"{world()} x {name}" if world() > 1 else name
