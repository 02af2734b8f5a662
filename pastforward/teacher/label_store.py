"""L2. The label store: a frozen teacher's target memories in a folder, for any number of students.

DIR/store.json             what it is, and the sizes and SHA-256 sums of the files beside it
    readout.safetensors    the teacher's readout, for the distill term of DMT
    chunk-00000.safetensors ...   x, y, mask and targets of a fixed number of sequences

The sequences are training batches of a source, so a chunk is a function of (source, seed, number)
and of the teacher alone. Targets are stored in half precision: memories are of order 1, and a
number is rounded by at most 2^-11 of itself.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from pastforward.config import RunConfig
from pastforward.data import DataConfig
from pastforward.data.remote import local
from pastforward.data.sampling import grouped_examples
from pastforward.data.source import Identity
from pastforward.errors import UsageError
from pastforward.files import (
    checksum,
    from_json,
    read_json,
    read_tensors,
    to_json,
    write_json,
)
from pastforward.outputs import Readout
from pastforward.types import BatchWithTargets, MemoryShape, Signature

FORMAT = 3
READOUT = "readout.safetensors"


@dataclass(frozen=True)
class StoreFacts:
    """All that determines what the files hold."""

    run: str
    """Folder of the run whose teacher gives the targets."""
    teacher: str
    """SHA-256 of that teacher's weights."""
    config: RunConfig
    """Config of that run, with the data that is labelled."""
    identity: Identity
    """Of the data that is labelled."""
    signature: Signature
    memory: MemoryShape
    hidden: int
    """Hidden units of the teacher's readout."""
    sequences: int
    chunk: int
    """Sequences in each chunk; the last one may hold fewer."""
    seed: int = 0
    """Seed of the batches that the source gives."""
    dtype: str = "float16"
    """Number format of the stored targets."""

    @property
    def data(self) -> DataConfig:
        """Where the sequences come from."""
        return self.config.data

    @property
    def chunks(self) -> range:
        """The numbers of all chunks."""
        return range(-(-self.sequences // self.chunk))

    def count(self, number: int) -> int:
        """Sequences in a chunk."""
        return min(self.chunk, self.sequences - number * self.chunk)


class FileFacts(NamedTuple):
    """Size and checksum of a file that was written completely."""

    bytes: int
    sha256: str


Files = dict[str, FileFacts]


def chunk_name(number: int) -> str:
    """The file name of a chunk."""
    return f"chunk-{number:05d}.safetensors"


def write_store(folder: Path, facts: StoreFacts, files: Files) -> None:
    """Write store.json, or leave it as it was; raises `UsageError` when it can't be written."""
    ordered = dict(sorted(files.items()))
    write_json(folder / "store.json", {"format": FORMAT, "files": ordered} | to_json(facts))


def read_store(folder: Path) -> tuple[StoreFacts, Files]:
    """The description, and the files that are complete.

    Raises `UsageError` where there is no store, or one of another format.
    """
    path = folder / "store.json"
    try:
        content = read_json(path)
        if (found := content.pop("format")) != FORMAT:
            raise ValueError(f"its format is {found}, and this version reads {FORMAT}")
        files = {name: FileFacts(*facts) for name, facts in content.pop("files").items()}
        facts = from_json(StoreFacts, content)
        if min(facts.sequences, facts.chunk, facts.memory.slots, facts.memory.width) < 1:
            raise ValueError("a size in it is below 1")
        return facts, files
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            f"{folder} holds no labels (no store.json); write them with: pastforward label RUN"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{path} can't be read as a label store ({error}); it was made by another version or "
            "edited, so write the labels again with --overwrite."
        ) from error


def mending_command(folder: Path, facts: StoreFacts) -> str:
    """The command that writes the files that are missing or damaged, and keeps the others."""
    words = ["pastforward", "label", facts.run, "--data", facts.data.source, "--sequences"]
    words += [str(facts.sequences), "--seed", str(facts.seed), "--out", str(folder), "--resume"]
    return shlex.join(words)


def open_labels(folder: Path | str) -> "LabelStore":
    """The store in a folder, or in a copy of that at a URL.

    Raises `UsageError` where there is none, or it is not complete.
    """
    folder = local(folder)
    facts, files = read_store(folder)
    store = LabelStore(folder, facts, files)
    done = sum(chunk_name(n) in files for n in facts.chunks)
    if done < len(facts.chunks):
        raise UsageError(
            f"{folder} holds {done} of {len(facts.chunks)} chunks of labels; go on with: "
            f"{mending_command(folder, facts)}"
        )
    for name, expected in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != expected.bytes:
            raise store.damaged(name, "it is missing or cut short")
    return store


@final
class LabelStore:
    """Sequences with target memories; a file's checksum is verified when it is first read."""

    def __init__(self, folder: Path, facts: StoreFacts, files: Files) -> None:
        """`open_labels` checks first that all files are there."""
        self.folder, self.facts, self._files = folder, facts, files
        self.signature = facts.signature
        self._chunks: dict[int, BatchWithTargets] = {}

    @property
    def identity(self) -> str:
        """Equal for stores of equal content."""
        return checksum(self.folder / "store.json")

    def batch(self, seed: int, index: int, size: int) -> BatchWithTargets:
        """Batch `index` of `size` sequences, a pure function of its arguments.

        An epoch reads one chunk after the other, each in a random order. Raises `UsageError` for a
        damaged file.
        """
        chunk, parts = self.facts.chunk, []
        rows = grouped_examples(self.facts.sequences, chunk, seed, index, size)
        cuts = np.flatnonzero(np.diff(rows // chunk)) + 1
        for run in np.split(rows, cuts):  # each in one chunk
            within = torch.from_numpy(run % chunk)
            parts.append([tensor[within] for tensor in self.chunk(int(run[0]) // chunk)])
        return BatchWithTargets(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def chunk(self, number: int) -> BatchWithTargets:
        """All sequences of a chunk, in the order written; raises `UsageError` for a damaged one."""
        if number not in self._chunks:
            self._chunks[number] = BatchWithTargets(**self._read(chunk_name(number)))
        return self._chunks[number]

    def readout(self) -> Readout:
        """The teacher's readout, frozen; raises `UsageError` for a damaged file."""
        readout = Readout(self.facts.memory, self.signature.outputs, self.facts.hidden)
        readout.load_state_dict(self._read(READOUT))
        return readout.requires_grad_(False)

    def damaged(self, name: str, how: str) -> UsageError:
        """The error for a damaged file, which says how to mend it."""
        command = mending_command(self.folder, self.facts)
        return UsageError(f"'{self.folder / name}' is damaged: {how}; mend it with `{command}`.")

    def _read(self, name: str) -> dict[str, Tensor]:
        path = self.folder / name
        try:
            if checksum(path) == self._files[name].sha256:
                return read_tensors(path)[0]
        except (OSError, ValueError) as error:
            raise self.damaged(name, str(error)) from error
        raise self.damaged(name, "its content is not what was written")
