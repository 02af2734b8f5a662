"""L6. A run of a grid in a process of its own, on one thread: `compare --jobs 2` starts these.

    python -m pastforward.runs.comparison.worker FOLDER PARENT

The folder holds the run's config. Where the process PARENT is gone, the run is saved and stops.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console

from pastforward.cli.main import answered
from pastforward.runs.running import attempt
from pastforward.config import RunConfig
from pastforward.training.loop import Fit
from pastforward.training.folder import RunFolder
from pastforward.training.trainer import Watcher


class Orphan:
    """A watcher that says nothing, and asks to stop once nobody waits for the run."""

    def __init__(self, parent: int) -> None:
        self.parent = parent

    def stage(self, name: str, number: int, of: int) -> None:
        """See `Watcher`."""

    def step(self, stage: Fit, terms: dict[str, float], valid: float | None) -> None:
        """See `Watcher`."""
        if os.getppid() != self.parent:
            os.kill(os.getpid(), signal.SIGTERM)


def work(folder: RunFolder, parent: int) -> None:
    """Train and evaluate the run in `folder`."""

    @contextmanager
    def watching(config: RunConfig, stderr: Console) -> Iterator[Watcher]:
        yield Orphan(parent)

    torch.set_num_threads(1)
    stderr = Console(stderr=True)
    attempt(folder.read_config(), folder, stderr, "pastforward compare --resume", watching)


if __name__ == "__main__":
    place, starter = sys.argv[1:]
    sys.exit(answered(lambda: work(RunFolder(Path(place)), int(starter))))
