"""L2. Writing a label store, chunk by chunk; an interrupted one is completed later.

Several processes may write one, each its part of the chunks. The first one keeps store.json; the
others note what they wrote in files of their own, which `join` puts into it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.files import checksum, pack_tensors, to_json, write_atomically, write_json
from pastforward.outputs import Readout
from pastforward.teacher.label_store import (
    READOUT,
    FileFacts,
    Files,
    StoreFacts,
    chunk_name,
    read_store,
    write_store,
)

CHUNK_BYTES = 32 * 2**20
"""Approximate size of a chunk: little is lost when writing stops, and there are few files."""
_HEADER = 512
"""Largest size in bytes of a file's header."""


@dataclass(frozen=True)
class LabelJob:
    """What to write, where, and the teacher's functions."""

    folder: Path
    facts: StoreFacts
    source: Source
    targets: Callable[[Tensor], Tensor]
    """From x `[B, T]` (or `[B, T, C]`) to target memories `[B, T+1, K, D]`."""
    readout: Readout

    @property
    def bytes(self) -> int:
        """Upper bound on the size of all chunks."""
        numbers = self.facts.sequences * sequence_bytes(self.facts, self.source)
        return numbers + _HEADER * len(self.facts.chunks)


def sequence_bytes(facts: StoreFacts, source: Source) -> int:
    """Size of a sequence: x, y and mask as they are, targets as `dtype`."""
    one = source.batch(facts.seed, 0, 1)
    targets = (facts.signature.length + 1) * facts.memory.size * _dtype(facts).itemsize
    return targets + sum(part.numel() * part.element_size() for part in one)


def begin(job: LabelJob, files: Files) -> Files:
    """Write all but the chunks, in place of a store that is there but for its `files`.

    The description comes before all that it lists goes: a killed process leaves what can go on.
    Raises `UsageError` when writing is impossible.
    """
    content = pack_tensors(job.readout.state_dict(), {})
    fresh = not job.folder.exists()
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        for note in job.folder.glob(_NOTE.format("*")):  # it would add to the new description
            note.unlink()
        write_store(job.folder, job.facts, files)
        for path in (job.folder / READOUT, *job.folder.glob("chunk-*.safetensors")):
            if path.name not in files:
                path.unlink(missing_ok=True)
        write_atomically(job.folder / READOUT, content)
        files = files | {READOUT: _describe(content)}
        write_store(job.folder, job.facts, files)
    except (OSError, UsageError) as error:
        if fresh:
            shutil.rmtree(job.folder, ignore_errors=True)
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"Can't write labels to {job.folder} ({error.strerror}); choose another --out."
        ) from error
    return files


def kept(job: LabelJob) -> Files:
    """The intact files of an earlier attempt.

    Raises `UsageError` where there is no store, or one of other content than asked for.
    """
    join(job.folder)
    facts, files = read_store(job.folder)
    found, asked = map(_comparable, (facts, job.facts))
    differing = [name for name in asked if asked[name] != found[name]]
    if differing:
        raise UsageError(
            f"{job.folder} was begun with another {', '.join(differing)} than asked for now; "
            "resume with the options it was begun with, or write it anew with --overwrite."
        )
    return {name: facts for name, facts in files.items() if _is_intact(job.folder / name, facts)}


@dataclass(frozen=True)
class Writers:
    """Processes that write one store."""

    number: int = 0
    """Which one this is."""
    of: int = 1

    def part(self, facts: StoreFacts) -> range:
        """The chunks that this one writes."""
        return facts.chunks[self.number :: self.of]

    def sequences(self, facts: StoreFacts) -> int:
        """How many sequences they hold."""
        return sum(map(facts.count, self.part(facts)))


ALONE = Writers()


def write_chunks(
    job: LabelJob, files: Files, advance: Callable[[int], None], writers: Writers = ALONE
) -> None:
    """Write the chunks that are not in `files`; calls `advance` with the count of sequences done.

    Of several writers each writes its part; `join` must follow once all are through. An exception
    raised by `advance` ends the writing; complete chunks are kept. Raises `UsageError` when the
    disk is full.
    """
    files = dict(files)
    for number in writers.part(job.facts):
        name = chunk_name(number)
        if name in files:
            advance(job.facts.count(number))
            continue
        write_atomically(job.folder / name, content := _chunk(job, number, advance))
        files[name] = _describe(content)
        if writers.number:
            write_json(job.folder / _NOTE.format(writers.number), files)
        else:
            write_store(job.folder, job.facts, files)


_NOTE = "files-{}.json"


def join(folder: Path) -> None:
    """Put into store.json what writers besides the first one have written."""
    notes = sorted(folder.glob(_NOTE.format("*")))
    if not notes:
        return
    facts, files = read_store(folder)
    for note in notes:
        found = json.loads(note.read_bytes())
        files |= {name: FileFacts(*described) for name, described in found.items()}
    write_store(folder, facts, files)
    for note in notes:
        note.unlink()


def _comparable(facts: StoreFacts) -> dict[str, Any]:
    """As JSON, without paths: what data is, its identity tells."""
    found = to_json(replace(facts, run=""))
    if os.path.isabs(facts.data.source):
        found["config"]["data"]["source"] = "a path"
    return found


def _chunk(job: LabelJob, number: int, advance: Callable[[int], None]) -> bytes:
    facts, targets = job.facts, []
    batch = job.source.batch(facts.seed, number, facts.chunk)
    tensors = {n: part[: facts.count(number)] for n, part in batch._asdict().items()}
    for x in tensors["x"].split(facts.config.fit.batch):
        targets.append(job.targets(x).to("cpu", _dtype(facts)))
        advance(len(x))
    return pack_tensors(tensors | {"targets": torch.cat(targets)}, {})


def _dtype(facts: StoreFacts) -> torch.dtype:
    return getattr(torch, facts.dtype)


def _describe(content: bytes) -> FileFacts:
    return FileFacts(len(content), hashlib.sha256(content).hexdigest())


def _is_intact(path: Path, facts: FileFacts) -> bool:
    return path.is_file() and path.stat().st_size == facts.bytes and checksum(path) == facts.sha256
