"""L6. grid.json: what a comparison was planned to be, so that it can be reported at any time."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from pastforward.config import RunConfig
from pastforward.errors import UsageError
from pastforward.files import from_json, read_json, to_json, write_json
from pastforward.runs.comparison.grid import Grid, Trial, problem
from pastforward.training.folder import RunFolder


class State(Enum):
    """How far a run is."""

    FINISHED = "finished"
    FAILED = "failed"
    BEGUN = "under way"
    WAITING = "not begun"


class Job(NamedTuple):
    """A run of the grid, where it lies and what it is trained with."""

    trial: Trial
    config: RunConfig
    folder: RunFolder


@dataclass(frozen=True)
class Record:
    """A comparison as it was asked for."""

    command: str
    grid: Grid
    sources: Mapping[str, str]
    """Source of the data of every task, by the name that the task was given."""

    def write(self, root: Path) -> None:
        """Put it in the comparison's folder; raises `UsageError` when that can't be written."""
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"Can't write {root} ({error.strerror}); choose a place with --name."
            ) from error
        write_json(root / "grid.json", to_json(self))


def holds_grid(root: Path) -> bool:
    """Was a comparison made there?"""
    return (root / "grid.json").is_file()


def read_record(root: Path) -> Record:
    """What was planned; raises `UsageError` when there is no such file or it can't be read."""
    path = root / "grid.json"
    try:
        content = read_json(path)
        record = from_json(Record, content)
        if wrong := problem(record.grid):
            raise ValueError(wrong)
        return record
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} can't be read ({error}); begin the comparison again under another --name."
        ) from error


def folder_of(root: Path, grid: Grid, trial: Trial) -> RunFolder:
    """Where a run of the comparison lies."""
    return RunFolder(root / grid.place(trial))


def state(folder: RunFolder) -> State:
    """How far the run in a folder is."""
    if folder.evaluation.exists():
        return State.FINISHED
    if folder.failure.exists():
        return State.FAILED
    return State.BEGUN if folder.config.exists() else State.WAITING


def failure_of(folder: RunFolder) -> str:
    """Why a run failed, as it was recorded; raises `UsageError` where that can't be read."""
    try:
        return str(read_json(folder.failure)["error"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(
            f"{folder.failure} can't be read ({error}); remove it and --resume."
        ) from error
