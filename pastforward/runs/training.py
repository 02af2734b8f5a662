"""L6. Train: one run from what is asked to its evaluation."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rich.console import Console

from pastforward.analysis.evaluate import evaluate
from pastforward.config import Budget, RunConfig
from pastforward.data.source import Source
from pastforward.errors import NonFiniteLoss, Stopped, UsageError, is_first_rank
from pastforward.files import write_json
from pastforward.report.summary import RunSummary
from pastforward.runs.describing import data_lines
from pastforward.runs.foreign import foreign_names
from pastforward.runs.opening import Run
from pastforward.runs.places import RUNS, read_if_exists
from pastforward.runs.request import PLAIN, TrainOptions, config_for, default_name
from pastforward.runs.saving import facts_of, few_samples, write_summary
from pastforward.training.callbacks import Callback, stop_signals
from pastforward.training.distributed import barrier, rank
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.locking import locked
from pastforward.training.progress import progress
from pastforward.training.trainer import Interrupted, Trainer

if TYPE_CHECKING:
    from pastforward.runs.request import What

Watching = Callable[[RunConfig, Console], AbstractContextManager[Callback]]
"""What opens a callback that shows how far a run is."""


def stderr_console() -> Console:
    """For messages on the way; ranks other than 0 write nothing."""
    return Console(stderr=True, quiet=not is_first_rank())


@dataclass(frozen=True)
class Telling:
    """Who is told how a run goes."""

    callbacks: Sequence[Callback] = ()
    """Called at every step; see `pastforward.training.callbacks`."""
    console: Console = field(default_factory=stderr_console)
    """Where progress is shown."""
    resume_command: str = PLAIN.resume_command
    """What messages say that a stopped run goes on with."""
    watching: Watching = progress
    describes: bool = True
    """Is it told what was understood of the data?"""

    @classmethod
    def of(cls, options: TrainOptions) -> "Telling":
        """As a caller of `train` asks for."""
        console = options.console or stderr_console()
        return cls(options.callbacks, console, options.resume_command)


def train(
    what: "What",
    method: str | None = None,
    *,
    cell: str | None = None,
    name: str | None = None,
    budget: Budget | None = None,
    seed: int | None = None,
    if_exists: str = "refuse",
    options: TrainOptions = PLAIN,
) -> Run:
    """Train a network, evaluate it, and keep all of it in runs/NAME.

    `what` is a recipe's name, a name of data (copy:32, hf:NAME), a path, `module:Name` (a recipe or
    a source of your own), a `Source`, a `LabelStore` or a `RunConfig`. `method` is a strategy
    (smt+dmt when None), a method, or one of your own as module:Name; a `RunConfig` has its own.
    With `if_exists` 'resume' a stopped run goes on and a finished one is only read; 'overwrite'
    replaces it.

    Raises `UsageError` for bad input before anything is written, `Stopped` after Ctrl-C or SIGTERM
    with all saved, and `NonFiniteLoss`.
    """
    config = config_for(what, method, cell, options)
    if seed is not None:
        config = replace(config, seed=seed)
    if budget is not None:
        config = replace(config, budget=budget)
    folder = RunFolder(RUNS / (name or default_name(what, method, config)))
    source = what if isinstance(what, Source) else None
    summary = train_run(config, folder, read_if_exists(if_exists), Telling.of(options), source)
    return Run(folder, config, source, foreign_names(config), summary)


def train_run(
    config: RunConfig, folder: RunFolder, if_exists: IfExists, telling: Telling,
    source: Source | None = None,
) -> RunSummary | None:  # fmt: skip
    """Train, evaluate and save; the summary is None where a finished run was only read.

    Nothing is written before all sizes were checked. Raises as `train` does.
    """
    trainer = Trainer(config, folder, source)
    if if_exists is IfExists.RESUME and is_finished(config, folder):
        telling.console.print(f"{folder.path} is finished.", highlight=False, markup=False)
        return None
    with locked(folder.path) if rank() == 0 else nullcontext():
        return _trained(trainer, if_exists, telling)


def _trained(trainer: Trainer, if_exists: IfExists, telling: Telling) -> RunSummary | None:
    config, folder = trainer.config, trainer.folder
    if rank() == 0:
        folder.prepare(config, if_exists)
    barrier()  # until the folder is there
    if if_exists is IfExists.RESUME:
        trainer.restore()
        if rank() == 0:
            folder.record(config)
    if telling.describes:
        for line in data_lines(trainer.source):
            telling.console.print(line, highlight=False, markup=False, soft_wrap=True)
    with telling.watching(config, telling.console) as shown:
        _train(trainer, [shown, *telling.callbacks], telling.resume_command)
    return _finish(trainer, telling)


def attempt(config: RunConfig, folder: RunFolder, telling: Telling) -> None:
    """`train_run` for one run of many: begun or resumed; a loss that isn't finite is recorded."""
    if_exists = IfExists.RESUME if folder.config.exists() else IfExists.REFUSE
    telling = replace(telling, describes=False)
    barrier()  # no rank makes the folder before all have looked
    try:
        train_run(config, folder, if_exists, telling)
    except NonFiniteLoss as error:
        if rank() == 0:
            write_json(folder.failure, {"error": str(error)})
        barrier()


def is_finished(config: RunConfig, folder: RunFolder) -> bool:
    """Is a run finished that was begun with `config`? Raises `UsageError` for another config."""
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


def _train(trainer: Trainer, callbacks: Sequence[Callback], resume_command: str) -> None:
    with stop_signals() as asked:
        try:
            trainer.train(callbacks, asked)
        except Interrupted:
            message = f"stopped and saved; go on with: {resume_command}"
            raise Stopped(message, 128 + (asked.signal or 15)) from None
        except UsageError as error:  # sizes were checked long ago: it could not be saved
            raise UsageError(f"{error} Then go on with: {resume_command}") from error


def _finish(trainer: Trainer, telling: Telling) -> RunSummary | None:
    try:
        with telling.console.status("evaluating on held-out data"):
            summary = _summarise(trainer) if rank() == 0 else None
    except KeyboardInterrupt:
        message = f"trained, not yet evaluated; go on with: {telling.resume_command}"
        raise Stopped(message, 130) from None
    if summary is not None:
        write_summary(trainer.folder, summary)
    barrier()  # leave together: a rank that goes early takes its connections with it
    return summary


def _summarise(trainer: Trainer) -> RunSummary:
    found = evaluate(trainer.network, trainer.teacher, trainer.source)
    return RunSummary(
        name=trainer.folder.path.name,
        evaluation=found.to_json(),
        metrics=trainer.folder.metrics.read(),
        facts=facts_of(trainer),
        samples=few_samples(trainer.network, trainer.source),
    )
