"""L4. The run folder: config, metrics, student, teacher, checkpoint, report; files of tensors.

runs/NAME/config.json  data.json  metrics.jsonl  student.safetensors  teacher.safetensors
          checkpoints/last.safetensors  evaluation.json  report.html  doctor.html  labels/"""

import json
import os
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pastforward.config import RunConfig
from pastforward.errors import UsageError
from pastforward.files import (
    from_json,
    json_text,
    pack_tensors,
    read_json,
    read_tensors,
    to_json,
    write_atomically,
    write_json,
)
from pastforward.training.locking import mend, sweep, under_way

if TYPE_CHECKING:
    from torch import Tensor

    from pastforward.data.source import Identity

Row = dict[str, Any]
_LARGEST = 1e300
"""Numbers beyond it are no figures; Python's whole numbers know no bound."""


@dataclass(frozen=True)
class MetricsLog:
    """Rows with stage, step, tokens and seconds of the whole run, and terms or a held-out loss."""

    path: Path

    def append(self, row: Row) -> None:
        """Add a row; raises `UsageError` when the disk is full or the place can't be written."""
        try:
            with self.path.open("a") as file:
                file.write(json_text(row) + "\n")
        except OSError as error:
            raise UsageError(
                f"Can't write {self.path} ({error.strerror}); free some space."
            ) from error

    def read(self) -> list[Row]:
        """All rows; a last line that was cut short is left out."""
        try:
            exists = self.path.is_file()
            lines = self.path.read_text().splitlines(keepends=True) if exists else []
            return [_row(line) for line in lines if line.endswith("\n")]
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(
                f"{self.path} can't be read ({error}); remove the damaged line."
            ) from error

    def truncate(self, step: int) -> None:
        """Drop rows of later steps."""
        if self.path.exists():
            kept = [json_text(row) + "\n" for row in self.read() if row["step"] <= step]
            write_atomically(self.path, "".join(kept).encode())


def _row(line: str) -> Row:
    """A row of metrics; raises `ValueError` for what is none."""
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("a row is no object")
    for name, value in row.items():
        if name == "stage" or value is None:
            continue
        if not isinstance(value, int | float) or abs(value) > _LARGEST:
            raise ValueError(f"{name} is no number in a row")
    if not isinstance(row.get("stage", ""), str) or None in (
        row.get("step"), row.get("seconds")
    ):  # fmt: skip
        raise ValueError("a row has no stage, step and seconds")
    return row


class IfExists(StrEnum):
    """What to do when the run is already there."""

    REFUSE = "refuse"
    RESUME = "resume"
    OVERWRITE = "overwrite"


@dataclass(frozen=True)
class _File:
    """Path of one of a run's files, read as an attribute of its folder."""

    name: str

    def __get__(self, folder: "RunFolder", _: type | None = None) -> Path:
        return folder.path / self.name


@dataclass(frozen=True)
class RunFolder:
    """Where a run's files are."""

    path: Path

    config = _File("config.json")
    data = _File("data.json")  # what its data is: codec, sizes, checksum
    student = _File("student.safetensors")  # the best student, or baseline
    teacher = _File("teacher.safetensors")  # the last teacher
    checkpoint = _File("checkpoints/last.safetensors")  # all that resuming needs
    job = _File("checkpoints/job")  # the torchrun that trains it
    evaluation = _File("evaluation.json")  # held-out figures; there once a run is finished
    failure = _File("failed.json")  # why the run can't be finished: a loss that is not finite
    report = _File("report.html")

    @property
    def metrics(self) -> MetricsLog:
        """Terms of steps and held-out losses."""
        return MetricsLog(self.path / "metrics.jsonl")

    @property
    def is_run(self) -> bool:
        """Was it made by a run? Other programs write a config.json too: theirs is kept."""
        return self.config.exists() and self.checkpoint.parent.is_dir()

    @property
    def is_restarted(self) -> bool:
        """Did torchrun, which began the run, start all processes anew after one had failed?"""
        again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
        return again and self.is_run and self.job.exists() and self.job.read_text() == _job()

    @property
    def is_foreign(self) -> bool:
        """Does it hold something that no run made?"""
        filled = self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir()))
        return filled and not self.is_run

    def prepare(
        self, config: RunConfig, if_exists: IfExists, data: "Identity | None" = None
    ) -> None:
        """Make the folder, or raise `UsageError` by what is there and what the user said.

        First it is mended after processes that were killed. `data` is what the run is trained on;
        one that is made without is opened by nobody later.
        """
        mend(self.path)
        if if_exists is not IfExists.RESUME or self.is_run:
            sweep(self.path)
        if if_exists is IfExists.RESUME:
            self._require_same(config)
        elif self.is_run and if_exists is IfExists.REFUSE:
            raise UsageError(
                f"{self.path} already holds a run; add --resume to go on with it, --overwrite to "
                "replace it, or choose another --name."
            )
        elif self.is_foreign:
            raise UsageError(f"{self.path} was made by no run; choose another --name.")
        else:
            self._create(config, data)

    def record(self, config: RunConfig, data: "Identity | None") -> None:
        """Keep the config and what its data is; a resumed run may have another budget, or more."""
        write_json(self.config, to_json(config))
        if data is not None:
            write_json(self.data, to_json(data))
        if _job():
            write_atomically(self.job, _job().encode())

    def read_data(self) -> "Identity":
        """What the run was trained on; raises `UsageError` where it doesn't say it."""
        from pastforward.data.source import Identity

        try:
            return from_json(Identity, read_json(self.data))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.data}, which says what data the run was trained on, can't be read "
                f"({error}); put it back, or train again."
            ) from error

    def read_config(self) -> RunConfig:
        """The config as it was written; raises `UsageError` if it isn't one."""
        try:
            return from_json(RunConfig, read_json(self.config))
        except FileNotFoundError as error:
            raise UsageError(
                f"{self.path} holds no run (no config.json); give a folder that `train` made."
            ) from error
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.config} can't be read as a run's config ({error}); it was made by another "
                "version or edited, so train again or restore it."
            ) from error

    def _create(self, config: RunConfig, data: "Identity | None") -> None:
        """Made beside its place and then moved there: where that fails, what was there stays."""
        fresh, old, gone = (under_way(self.path, what) for what in ("new", "old", "gone"))
        try:
            RunFolder(fresh).checkpoint.parent.mkdir(parents=True)
            RunFolder(fresh).record(config, data)
            if self.path.exists():
                self.path.rename(old)  # whoever is killed from here on loses nothing: see `mend`
            fresh.rename(self.path)
            if old.exists():
                old.rename(gone)
        except OSError as error:
            raise UsageError(
                f"Can't write {self.path} ({error.strerror}); free some space, or choose a place "
                "you may write to with --name."
            ) from error
        finally:
            if old.exists():  # its place could not be taken
                old.rename(self.path)
            for left in (fresh, gone):
                shutil.rmtree(left, ignore_errors=True)

    def _require_same(self, config: RunConfig) -> None:
        before, asked = map(_comparable, (self.read_config(), config))
        differing = [k for k in asked if k != "budget" and asked[k] != before[k]]
        if differing:
            raise UsageError(
                f"{self.path} was trained with another {', '.join(differing)} than asked for now; "
                "resume with the options it was started with, or use another --name."
            )


def _job() -> str:
    """The torchrun that started this process, by its own name or process; '' without one."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return f"process {os.getppid()}" if name == "none" else name


def _comparable(config: RunConfig) -> dict[str, Any]:
    """The config as JSON; a path and T are left out, as what data is, is compared by itself."""
    found = json.loads(json.dumps(to_json(config)))
    del found["data"]["length"]
    if os.path.isabs(config.data.source):
        found["data"]["source"] = "a path"
    if config.label_store is not None:
        found["label_store"] = "a path"
    return found


def save_tensors(path: Path, tensors: "dict[str, Tensor]", facts: dict[str, Any]) -> None:
    """Write all of it or nothing.

    Raises `UsageError` when the disk is full or the place can't be written; the old file stays.
    """
    write_atomically(path, pack_tensors(tensors, {"facts": facts}))


def load_tensors(path: Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """Tensors and facts; raises `UsageError` for a missing, truncated or foreign file."""
    try:
        tensors, metadata = read_tensors(path)
        return tensors, metadata["facts"]
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(
            f"{path} is missing, cut short or not one of pastforward's files "
            f"({type(error).__name__}: {error}); point to a run folder that `train` wrote."
        ) from error


def join_parts(**parts: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """All tensors of all parts, as 'part/name'."""
    return {f"{of}/{name}": tensor for of, part in parts.items() for name, tensor in part.items()}


def part(prefix: str, tensors: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """The part that `join_parts` was given as `prefix`."""
    cut = len(prefix) + 1
    return {n[cut:]: t for n, t in tensors.items() if n.startswith(prefix + "/")}
