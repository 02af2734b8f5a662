"""Copies as a source of one's own that kills chosen processes: `killed_ranks:Copies`.

KILLS holds, as JSON, for each start of all processes by torchrun the rank to kill and which of its
training batches since then kills it: [[1, 5], [0, 5]].
"""

import json
import os
import signal
from collections.abc import Iterator

from typing_extensions import override

from pastforward.data.opening import open_source
from pastforward.data.source import Source
from pastforward.types import Batch

BATCH = 4


class Copies(Source):
    def __init__(self) -> None:
        self.inner, self.read = open_source("copy:8"), 0
        super().__init__("copies", self.inner.signature, self.inner.codec)
        starts = json.loads(os.environ.get("KILLS", "[]"))
        start = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
        self.kill = starts[start] if start < len(starts) else None

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        self.read += size == BATCH  # others are read to identify the data
        if [int(os.environ.get("RANK", "0")), self.read] == self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.inner.batch(seed, index, size)

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        return self.inner.held_out(split, size, limit)

    @override
    def references(self) -> dict[str, float]:
        return self.inner.references()

    @override
    def describe(self) -> dict:
        return self.inner.describe()
