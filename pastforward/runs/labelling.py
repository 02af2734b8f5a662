"""L6. From a run with a teacher to a label store, for `label`."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from pastforward.errors import Stopped
from pastforward.cli.label import LabelOptions
from pastforward.runs.opening import OpenRun
from pastforward.config import DataConfig
from pastforward.data.codec import SeriesCodec
from pastforward.data.source import Source
from pastforward.data.opening import open_data
from pastforward.files import checksum
from pastforward.teacher.store.writing import CHUNK_BYTES, LabelJob, kept, sequence_bytes, write_chunks
from pastforward.teacher.store.facts import Files, StoreFacts
from pastforward.recipes import RECIPES
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.teacher.teacher import Teacher
from pastforward.training.folder import IfExists
from pastforward.training.stopping import stop_signals
from pastforward.training.progress import LINE_EVERY
from pastforward.errors import UsageError

USUAL_SEQUENCES = 16384
"""Sequences written where none are asked for, unless there are fewer to train on."""


def label_job(options: LabelOptions, run: OpenRun) -> LabelJob:
    """What the options ask for; raises `UsageError` when the run or the data can't give it."""
    teacher = run.teacher
    if not isinstance(teacher, Teacher):
        raise UsageError(
            f"{run.folder.path} has no teacher; label with a run that trained one, by way of smt, "
            "smt+dmt or two-stage."
        )
    data, source = _data(options.data, run)
    readout = teacher.decoder.readout
    facts = StoreFacts(
        run=str(run.folder.path),
        teacher=checksum(run.folder.teacher),
        config=replace(run.config, data=data),
        signature=source.signature,
        memory=teacher.memory,
        hidden=readout.net.up.out_features,
        sequences=options.sequences or _usual_sequences(source),
        chunk=1,
        seed=options.seed,
    )
    chunk = max(1, min(facts.sequences, CHUNK_BYTES // sequence_bytes(facts, source)))
    facts = replace(facts, chunk=chunk)
    device = torch.accelerator.current_accelerator() or torch.device("cpu")
    teacher.to(device)

    def label(x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return teacher.targets(x.to(device))

    return LabelJob(options.out or run.folder.path / "labels", facts, source, label, readout)


def _data(given: str | None, run: OpenRun) -> tuple[DataConfig, Source]:
    """What to label: the run's own data, or other data that reads alike."""
    own, where = run.source, run.folder.path
    if given is None or given == run.config.data.source:
        return run.config.data, own
    name = RECIPES[given](DEFAULT_STRATEGY).data.source if given in RECIPES else given
    data = replace(run.config.data, source=name, length=own.signature.length)
    source = open_data(data)
    if source.signature != own.signature:
        raise UsageError(
            f"The data '{given}' reads as {source.signature}, but {where} was trained on "
            f"{own.signature}; give data of the same kind and size."
        )
    # A series is standardised by itself; symbols must mean the same.
    if source.codec != own.codec and not isinstance(own.codec, SeriesCodec):
        raise UsageError(
            f"The data '{given}' has other symbols than {where} was trained on; give data of the "
            "same symbols."
        )
    return data, source


def _usual_sequences(source: Source) -> int:
    return min(USUAL_SEQUENCES, source.describe()["sequences"]["train"] or USUAL_SEQUENCES)


def already(job: LabelJob, if_exists: IfExists) -> Files:
    """What need not be written again; raises `UsageError` by what is there and was said."""
    if if_exists is IfExists.RESUME:
        return kept(job)
    found = (job.folder / "store.json").exists()
    if found and if_exists is IfExists.REFUSE:
        raise UsageError(
            f"{job.folder} already holds labels; add --resume to go on with them, --overwrite to "
            "replace them, or choose another --out."
        )
    if not found and (job.folder.is_file() or (job.folder.is_dir() and any(job.folder.iterdir()))):
        raise UsageError(f"{job.folder} was made by no `label`; choose another --out.")
    return {}


def clear(folder: Path) -> None:
    """Remove a store's own files, store.json first: what is left then counts for nothing."""
    try:
        for pattern in ("store.json", "readout.safetensors", "chunk-*.safetensors"):
            for path in folder.glob(pattern):
                path.unlink()
    except OSError as error:
        raise UsageError(
            f"Can't replace the labels in {folder} ({error.strerror}); choose another --out."
        ) from error


def require_room(job: LabelJob, files: Files) -> str:
    """How much will be written, to be told; raises `UsageError` where the disk has less."""
    written = sum(facts.bytes for facts in files.values())
    folder = job.folder.absolute()
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    said = f"Labels of {job.facts.sequences:,} sequences take {_size(job.bytes)}"
    if job.bytes - written > free:
        raise UsageError(
            f"{said}, but the disk of {job.folder} has {_size(free)} left; give fewer --sequences "
            "or another --out."
        )
    return said + (f", {_size(written)} of it written before," if written else "")


def write(job: LabelJob, files: Files, stderr: Console, resume_command: str) -> None:
    """Write all but `files`, with a bar; `again` is the command that goes on after a stop."""
    with stop_signals() as asked, _bar(job, stderr) as show:

        def advance(count: int) -> None:
            show(count)
            if asked():
                message = f"stopped, whole chunks are kept; go on with: {resume_command}"
                raise Stopped(message, 128 + asked.signal)

        try:
            write_chunks(job, files, advance)
        except UsageError as error:
            raise UsageError(f"{error} Then go on with: {resume_command}") from error


@contextmanager
def _bar(job: LabelJob, stderr: Console) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line now and then elsewhere; told of sequences as they are done."""
    total, done, shown = job.facts.sequences, 0, time.monotonic()
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


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
