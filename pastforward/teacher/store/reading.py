"""L2. Reading a label store: batches of sequences with their target memories."""

from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from pastforward.data.sampling import grouped_examples
from pastforward.errors import UsageError
from pastforward.files import checksum, read_tensors
from pastforward.outputs import Readout
from pastforward.teacher.store.facts import (
    READOUT,
    Files,
    StoreFacts,
    chunk_name,
    mending_command,
    read_store,
)
from pastforward.types import BatchWithTargets


def open_labels(folder: Path | str) -> "LabelStore":
    """The store in a folder; raises `UsageError` where there is none, or it is not complete."""
    folder = Path(folder).expanduser()
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
        self.folder, self.facts, self.signature = folder, facts, facts.signature
        self._files = files
        self._chunks: dict[int, BatchWithTargets] = {}

    @property
    def identity(self) -> str:
        """Equal for stores of equal content."""
        return checksum(self.folder / "store.json")

    def batch(self, seed: int, index: int, size: int) -> BatchWithTargets:
        """Batch `index` of `size` sequences, a pure function of its arguments.

        Raises `UsageError` for a damaged file. An epoch reads one chunk after the other, each in a
        random order: the sequences themselves are random batches, and files are read whole.
        """
        facts = self.facts
        rows = grouped_examples(facts.sequences, facts.chunk, seed, index, size)
        cuts = np.flatnonzero(np.diff(rows // facts.chunk)) + 1
        parts = []
        for run in np.split(rows, cuts):  # each in one chunk
            within = torch.from_numpy(run % facts.chunk)
            parts.append([tensor[within] for tensor in self.chunk(int(run[0]) // facts.chunk)])
        return BatchWithTargets(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def chunk(self, number: int) -> BatchWithTargets:
        """All sequences of a chunk, in the order written; raises `UsageError` for a damaged one."""
        if number not in self._chunks:
            tensors = self._read(chunk_name(number))
            self._chunks[number] = BatchWithTargets(
                *(tensors[name] for name in BatchWithTargets._fields)
            )
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
