"""L1. Writing a label store, chunk by chunk: what is done once is never done again."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.files import checksum, write_atomically
from pastforward.outputs import Readout
from pastforward.teacher.store.facts import (
    READOUT,
    FileFacts,
    Files,
    StoreFacts,
    chunk_name,
    read_store,
    write_store,
)

CHUNK_BYTES = 32 * 2**20
"""About how large a chunk is: little is lost when writing stops, and few files are made."""
_HEADER = 512
"""Bytes by which a file may exceed its numbers."""


@dataclass(frozen=True)
class LabelJob:
    """What to write, where, and who labels."""

    folder: Path
    facts: StoreFacts
    source: Source
    label: Callable[[Tensor], Tensor]
    """x `[B, T]` (or `[B, T, C]`) to labels `[B, T+1, K, D]`."""
    readout: Readout

    @property
    def bytes(self) -> int:
        """The most that all chunks take."""
        facts = self.facts
        numbers = facts.sequences * sequence_bytes(facts, self.source)
        return numbers + _HEADER * len(facts.chunks)


def sequence_bytes(facts: StoreFacts, source: Source) -> int:
    """What a sequence takes: x, y and mask as they are, labels as `dtype`."""
    one = source.batch(facts.seed, 0, 1)
    labels = (facts.signature.length + 1) * facts.memory.size * _dtype(facts).itemsize
    return labels + sum(part.numel() * part.element_size() for part in one)


def begin(job: LabelJob, files: Files) -> Files:
    """A store that holds `files` so far; raises `UsageError` when it can't be written."""
    content = save({name: t.cpu().contiguous() for name, t in job.readout.state_dict().items()})
    files = files | {READOUT: _facts_of(content)}
    fresh = not job.folder.exists()
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(job.folder / READOUT, content)
        write_store(job.folder, job.facts, files)
    except (OSError, UsageError) as error:
        if fresh:
            shutil.rmtree(job.folder, ignore_errors=True)
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"Can't make the folder {job.folder} ({error.strerror}); choose another --out."
        ) from error
    return files


def kept(job: LabelJob) -> Files:
    """Files of an earlier attempt that still hold what was written.

    Raises `UsageError` where there is none, or it was to hold something else.
    """
    facts, files = read_store(job.folder)
    if_exists, asked = asdict(replace(facts, run="")), asdict(replace(job.facts, run=""))
    differing = [name for name in asked if asked[name] != if_exists[name]]
    if differing:
        raise UsageError(
            f"{job.folder} was begun with another {', '.join(differing)} than asked for now; "
            "resume with the options it was begun with, or write it anew with --overwrite."
        )
    return {name: facts for name, facts in files.items() if _whole(job.folder / name, facts)}


def write_chunks(job: LabelJob, files: Files, advance: Callable[[int], None]) -> None:
    """Write the chunks that are not in `files`; `advance` is told of sequences as they are done.

    What `advance` raises ends it; chunks that were written count. Raises `UsageError` when the
    disk is full.
    """
    files = dict(files)
    for part in job.folder.glob(".*.part"):  # of a process that was killed
        part.unlink(missing_ok=True)
    for number in job.facts.chunks:
        name = chunk_name(number)
        if name in files:
            advance(job.facts.count(number))
            continue
        content = _chunk(job, number, advance)
        write_atomically(job.folder / name, content)
        files[name] = _facts_of(content)
        write_store(job.folder, job.facts, files)


def _chunk(job: LabelJob, number: int, advance: Callable[[int], None]) -> bytes:
    facts = job.facts
    batch = job.source.batch(facts.seed, number, facts.chunk)
    tensors = {n: part[: facts.count(number)] for n, part in batch._asdict().items()}
    labels = []
    for x in tensors["x"].split(facts.config.fit.batch):
        labels.append(job.label(x).to("cpu", _dtype(facts)))
        advance(len(x))
    tensors["targets"] = torch.cat(labels)
    return save({name: tensor.contiguous() for name, tensor in tensors.items()})


def _dtype(facts: StoreFacts) -> torch.dtype:
    return getattr(torch, facts.dtype)


def _facts_of(content: bytes) -> FileFacts:
    return FileFacts(len(content), hashlib.sha256(content).hexdigest())


def _whole(path: Path, facts: FileFacts) -> bool:
    return path.is_file() and path.stat().st_size == facts.bytes and checksum(path) == facts.sha256
