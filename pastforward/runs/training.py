"""L6. Train: one run from what is asked to its evaluation."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rich.console import Console

from pastforward.analysis.evaluate import Evaluation, evaluate
from pastforward.config import Budget, RunConfig
from pastforward.data.opening import Opened, in_memory, open_known
from pastforward.data.source import Source, require_known
from pastforward.errors import NonFiniteLoss, Stopped, UsageError
from pastforward.files import write_json
from pastforward.report.summary import RunSummary
from pastforward.runs.describing import data_lines
from pastforward.runs.foreign import foreign_names
from pastforward.runs.opening import Run
from pastforward.runs.places import RUNS, read_if_exists
from pastforward.runs.request import PLAIN, TrainOptions, config_for, default_name
from pastforward.runs.saving import facts_of, few_samples, write_summary
from pastforward.training.callbacks import Callback, Callbacks, stop_signals
from pastforward.training.distributed import (
    barrier,
    loss_of_peer_named,
    on_first_rank,
    part_of_rank,
    rank,
)
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.locking import locked
from pastforward.training.progress import progress
from pastforward.training.trainer import Interrupted, Trainer
from pastforward.watching import shown_on, stderr_console

if TYPE_CHECKING:
    from torch import nn

    from pastforward.runs.request import What

Watching = Callable[[RunConfig, Console], AbstractContextManager[Callback]]
"""What opens a callback that shows how far a run is."""


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


@dataclass(frozen=True)
class Given:
    """What a run is given beside its config."""

    source: Source | None = None
    """Its data, opened; opened by the config when None."""
    allow_new_data: bool = False
    start: "nn.Module | None" = None
    """Of torch.nn: what the student begins with."""


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
    console = options.console or stderr_console()
    with shown_on(console):
        options = replace(options, opened=options.opened or Opened())
        config = config_for(what, method, cell, options)
        if seed is not None:
            config = replace(config, seed=seed)
        if budget is not None:
            config = replace(config, budget=budget)
        folder = RunFolder(RUNS / (name or default_name(what, method, config)))
        source = what if isinstance(what, Source) else _opened(config, options)
        telling = Telling(options.callbacks, console, options.resume_command)
        given = Given(source, options.allow_new_data, options.start)
        summary = train_run(config, folder, read_if_exists(if_exists), telling, given)
    held = source if isinstance(what, Source) else None
    return Run(folder, config, held, foreign_names(config), summary)


def train_run(
    config: RunConfig, folder: RunFolder, if_exists: IfExists, telling: Telling,
    given: Given = Given(),
) -> RunSummary | None:  # fmt: skip
    """Train, evaluate and save; the summary is None where a finished run was only read.

    Nothing is written before all sizes were checked. What torchrun restarts goes on by itself.
    Raises as `train` does.
    """
    source = given.source
    if folder.is_restarted:
        if_exists = IfExists.RESUME
    if if_exists is IfExists.RESUME:
        _require_length(config, folder, source)
        folder.prepare(config, if_exists)
        source = _as_begun(config, folder, source, given.allow_new_data)
    trainer = Trainer(config, folder, source)
    if given.start is not None:
        trainer.start_from(given.start)
    if if_exists is IfExists.RESUME and is_finished(config, folder):
        telling.console.print(f"{folder.path} is finished.", highlight=False, markup=False)
        return None
    with locked(folder.path) if rank() == 0 else nullcontext():
        return _trained(trainer, if_exists, telling)


def _trained(trainer: Trainer, if_exists: IfExists, telling: Telling) -> RunSummary | None:
    config, folder = trainer.config, trainer.folder
    on_first_rank(lambda: folder.prepare(config, if_exists, trainer.source.identity))
    if if_exists is IfExists.RESUME:
        trainer.restore()
        if rank() == 0:
            folder.record(config, trainer.source.identity)
    if telling.describes:
        for line in data_lines(trainer.source):
            telling.console.print(line, highlight=False, markup=False, soft_wrap=True)
    told = Callbacks(telling.callbacks)
    try:
        with telling.watching(config, telling.console) as shown:
            _train(trainer, shown, told, telling.resume_command)
        return _finish(trainer, told, telling.resume_command)
    finally:
        told.on_end()


def _opened(config: RunConfig, options: TrainOptions) -> Source | None:
    """The data as it was opened for the config; that of labels is read by their codec."""
    assert options.opened is not None
    return None if config.label_store is not None else options.opened(config.data)


def _require_length(config: RunConfig, folder: RunFolder, source: Source | None) -> None:
    """T is chosen from the data where it isn't given, and sizes in the config are from T."""
    if source is None or config.data.length is not None or not folder.data.exists():
        return
    begun, found = folder.read_data().length, source.signature.length
    if begun != found:
        raise UsageError(
            f"The data '{source.name}' gives sequences of T = {found} now, and {folder.path} was "
            f"begun with {begun}; if it has grown, add --data.length {begun}."
        )


def _as_begun(
    config: RunConfig, folder: RunFolder, source: Source | None, allow_new: bool
) -> Source:
    """The data of a run to be resumed, by the codec that it began with."""
    known, where = folder.read_data(), str(folder.path)
    held = in_memory(config.data.source)
    if source is None or (not held and source.identity.codec != known.codec):
        return open_known(config.data, known, where, allow_new)
    require_known(source, known, where, allow_new)
    return source


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


def _train(trainer: Trainer, shown: Callback, told: Callback, resume_command: str) -> None:
    """Tells `shown` that all is done, too; those who are `told` hear of the evaluation first."""
    with stop_signals() as asked, loss_of_peer_named(resume_command):
        try:
            trainer.train([shown, told], asked)
        except Interrupted:
            message = f"stopped and saved; go on with: {resume_command}"
            raise Stopped(message, 128 + (asked.signal or 15)) from None
        except UsageError as error:  # sizes were checked long ago: it could not be saved
            raise UsageError(f"{error} Then go on with: {resume_command}") from error
        finally:
            shown.on_end()


def _finish(trainer: Trainer, told: Callback, resume_command: str) -> RunSummary | None:
    try:
        with loss_of_peer_named(resume_command):
            networks = trainer.network, trainer.teacher
            found = evaluate(*networks, trainer.source, shared=part_of_rank())
        summary = _summarise(trainer, found) if rank() == 0 else None
    except KeyboardInterrupt:
        message = f"trained, not yet evaluated; go on with: {resume_command}"
        raise Stopped(message, 130) from None
    if summary is not None:
        write_summary(trainer.folder, summary)
        told.on_evaluated(summary)
    return summary  # nobody waits for rank 0's samples


def _summarise(trainer: Trainer, found: Evaluation) -> RunSummary:
    trainer.network.cpu()  # samples are drawn step by step, where an accelerator is slower
    return RunSummary(
        name=trainer.folder.path.name,
        evaluation=found.to_json(),
        metrics=trainer.folder.metrics.read(),
        facts=facts_of(trainer),
        samples=few_samples(trainer.network, trainer.source),
    )
