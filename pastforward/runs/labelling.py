"""L6. Label: a trained teacher's target memories, written once to a label store."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from pastforward.data import DataConfig
from pastforward.data.opening import kind_of, located, open_data
from pastforward.data.remote import refuse_url
from pastforward.data.source import Source
from pastforward.errors import Stopped, UsageError
from pastforward.files import checksum
from pastforward.recipes import RECIPES
from pastforward.report.formats import size_text
from pastforward.runs.opening import Run, open_run
from pastforward.runs.places import read_if_exists
from pastforward.runs.training import Telling
from pastforward.teacher.label_store import Files, LabelStore, StoreFacts, open_labels, read_store
from pastforward.teacher.label_writing import (
    CHUNK_BYTES,
    LabelJob,
    Writers,
    begin,
    join,
    kept,
    sequence_bytes,
    write_chunks,
)
from pastforward.teacher.teacher import Teacher
from pastforward.training.callbacks import stop_signals
from pastforward.training.distributed import barrier, connect, on_first_rank, rank, world
from pastforward.training.folder import IfExists
from pastforward.training.locking import is_empty, locked, sweep
from pastforward.training.progress import LINE_EVERY

DEFAULT_SEQUENCES = 16384
"""Sequences written where none are asked for, unless there are fewer to train on."""


@dataclass(frozen=True)
class LabelRequest:
    """What to label."""

    data: str | None = None
    """Other data of the same kind, a recipe, a name or a path; the run's own when None."""
    sequences: int | None = None
    """Sequences to write; all that there are to train on, at most 16384, when None."""
    seed: int = 0
    """Seed of the sequences drawn."""


def label(
    run: Run | str,
    request: LabelRequest = LabelRequest(),
    *,
    out: Path | None = None,
    if_exists: str = "refuse",
    telling: Telling | None = None,
) -> LabelStore:
    """Write the target memories of a run's teacher to `out`, RUN/labels when None.

    Under torchrun every rank writes its part. With `if_exists` 'resume' files that are missing or
    damaged are written, 'overwrite' replaces all. Raises `UsageError` for a run without a teacher
    and data of another kind, and `Stopped`, with whole chunks kept, after Ctrl-C or SIGTERM.
    """
    exists, telling = read_if_exists(if_exists), telling or Telling()
    if out is not None:
        refuse_url(out, "--out")
    if request.sequences is not None and not 1 <= request.sequences < 10**15:
        raise UsageError(
            f"--sequences is {request.sequences}; give 1 or more, of at most 15 digits."
        )
    device = connect()
    job = _job(open_run(run) if isinstance(run, str) else run, request, out, device)
    on_first_rank(lambda: _require_usable(job, exists))  # before anything is written
    with ExitStack() as held:
        on_first_rank(lambda: held.enter_context(locked(job.folder.absolute(), "--out")))
        on_first_rank(lambda: _begin(job, exists, telling))
        _write(job, read_store(job.folder)[1], telling)
        barrier()  # until all are through
        on_first_rank(lambda: join(job.folder))
    return open_labels(job.folder)


def _require_usable(job: LabelJob, if_exists: IfExists) -> None:
    _require_place(job, if_exists)
    if if_exists is not IfExists.RESUME:
        _require_room(job, {})


def _begin(job: LabelJob, if_exists: IfExists, telling: Telling) -> None:
    """Write what is not there but for the chunks, while no other process does."""
    sweep(job.folder.absolute())
    _require_place(job, if_exists)  # another process may have begun it meanwhile
    files = kept(job) if if_exists is IfExists.RESUME else {}
    said = f"{_require_room(job, files)} in {job.folder}"
    begin(job, files)
    telling.console.print(said, highlight=False, markup=False, soft_wrap=True)


def _job(
    run: Run, request: LabelRequest, out: Path | None, device: torch.device
) -> LabelJob:  # fmt: skip
    teacher = run.teacher
    if not isinstance(teacher, Teacher):
        raise UsageError(
            f"{run.path} has no teacher; label with a run that trained one, by smt, smt+dmt or "
            "two-stage."
        )
    data, source = _data(request.data, run)
    readout = teacher.decoder.readout
    facts = StoreFacts(
        run=str(run.path.absolute()),
        teacher=checksum(run.folder.teacher),
        config=replace(run.config, data=data),
        identity=source.identity,
        signature=source.signature,
        memory=teacher.memory,
        hidden=readout.hidden,
        sequences=request.sequences or _default_sequences(source),
        chunk=1,
        seed=request.seed,
    )
    chunk = max(1, min(facts.sequences, CHUNK_BYTES // sequence_bytes(facts, source)))
    facts = replace(facts, chunk=chunk)
    teacher.to(device)

    def targets(x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return teacher.targets(x.to(device))

    return LabelJob(out or run.path / "labels", facts, source, targets, readout)


def _data(given: str | None, run: Run) -> tuple[DataConfig, Source]:
    """What to label: the run's own data, or other data of the same inputs and outputs."""
    own = run.source
    if given is None:
        return run.config.data, own
    name = RECIPES.load(given)().data.source if given in RECIPES else given
    kind_of(name, run.config.data.task)  # that there is no such data is told by the name given
    data = located(replace(run.config.data, source=name))
    if data == run.config.data:
        return data, own
    data = replace(data, length=own.signature.length)
    source = open_data(data, own.codec)
    if source.signature != own.signature:
        raise UsageError(
            f"The data '{given}' reads as {source.signature}, but {run.path} was trained on "
            f"{own.signature}; give data of the same kind and size."
        )
    if source.codec != own.codec:
        raise UsageError(
            f"The data '{given}' has other symbols than {run.path} was trained on; give data of "
            "the same symbols."
        )
    return data, source


def _default_sequences(source: Source) -> int:
    return min(DEFAULT_SEQUENCES, source.describe()["sequences"]["train"] or DEFAULT_SEQUENCES)


def _require_place(job: LabelJob, if_exists: IfExists) -> None:
    """Raise `UsageError` where the folder holds what isn't asked for."""
    if if_exists is IfExists.RESUME:
        read_store(job.folder)
        return
    found = (job.folder / "store.json").exists()
    if found and if_exists is IfExists.REFUSE:
        raise UsageError(
            f"{job.folder} already holds labels; add --resume to go on with them, --overwrite to "
            "replace them, or choose another --out."
        )
    if not found and job.folder.exists() and not (job.folder.is_dir() and is_empty(job.folder)):
        raise UsageError(f"{job.folder} was made by no `label`; choose another --out.")


def _require_room(job: LabelJob, files: Files) -> str:
    """How much will be written, as a sentence; raises `UsageError` where the disk has less."""
    written = sum(facts.bytes for facts in files.values())
    folder = job.folder.absolute()
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    said = f"Labels of {job.facts.sequences:,} sequences take {size_text(job.bytes)}"
    if job.bytes - written > free:
        raise UsageError(
            f"{said}, but the disk of {job.folder} has {size_text(free)} left; give fewer "
            "--sequences or another --out."
        )
    return said + (f", {size_text(written)} of it written before," if written else "")


def _write(job: LabelJob, files: Files, telling: Telling) -> None:
    command = telling.resume_command
    with stop_signals() as asked, _bar(job, telling.console) as show:

        def advance(count: int) -> None:
            show(count)
            if asked():
                message = f"stopped, whole chunks are kept; go on with: {command}"
                raise Stopped(message, 128 + asked.signal)

        try:
            write_chunks(job, files, advance, _writers())
        except UsageError as error:
            raise UsageError(f"{error} Then go on with: {command}") from error


def _writers() -> Writers:
    return Writers(rank(), world())


@contextmanager
def _bar(job: LabelJob, stderr: Console) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line now and then elsewhere; called with counts of sequences."""
    total, done, shown = _writers().sequences(job.facts), 0, time.monotonic()
    with Progress(console=stderr, disable=not stderr.is_terminal) as bar:
        task = bar.add_task("labels", total=total)

        def show(count: int) -> None:
            nonlocal done, shown
            done += count
            bar.update(task, completed=done)
            if not stderr.is_terminal and time.monotonic() - shown >= LINE_EVERY:
                shown = time.monotonic()
                stderr.print(f"  {100 * done / total:3.0f}%", highlight=False)

        yield show
