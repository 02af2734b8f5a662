"""L4. The run folder: config, metrics, student, teacher, checkpoint, report.

runs/NAME/config.json  metrics.jsonl  student.safetensors  teacher.safetensors
          checkpoints/last.safetensors  evaluation.json  report.html  doctor.html  labels/"""

import json
import os
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pastforward.config import RunConfig
from pastforward.errors import UsageError
from pastforward.files import from_json, to_json, write_json

Row = dict[str, Any]


@dataclass(frozen=True)
class MetricsLog:
    """Rows with stage, step, tokens and seconds of the whole run, and terms or a held-out loss."""

    path: Path

    def append(self, row: Row) -> None:
        """Add a row; raises `UsageError` when the disk is full or the place can't be written."""
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise UsageError(
                f"Can't write {self.path} ({error.strerror}); free some space."
            ) from error

    def read(self) -> list[Row]:
        """All rows; a last line that was cut short is left out."""
        try:
            lines = self.path.read_text().splitlines(keepends=True) if self.path.exists() else []
            return [json.loads(line) for line in lines if line.endswith("\n")]
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.path} can't be read ({error}); remove the damaged line."
            ) from error

    def truncate(self, step: int) -> None:
        """Drop rows of later steps."""
        if self.path.exists():
            kept = [json.dumps(row) + "\n" for row in self.read() if row["step"] <= step]
            self.path.write_text("".join(kept))


class IfExists(StrEnum):
    """What to do when the run is already there."""

    REFUSE = "refuse"
    RESUME = "resume"
    OVERWRITE = "overwrite"


@dataclass(frozen=True)
class RunFolder:
    """Where a run's files are."""

    path: Path

    @property
    def config(self) -> Path:
        """The run's config, JSON."""
        return self.path / "config.json"

    @property
    def metrics(self) -> MetricsLog:
        """Terms of steps and held-out losses."""
        return MetricsLog(self.path / "metrics.jsonl")

    @property
    def student(self) -> Path:
        """The best student, or baseline."""
        return self.path / "student.safetensors"

    @property
    def teacher(self) -> Path:
        """The last teacher."""
        return self.path / "teacher.safetensors"

    @property
    def checkpoint(self) -> Path:
        """All that resuming needs."""
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def evaluation(self) -> Path:
        """Held-out figures and facts, JSON; there once a run is finished."""
        return self.path / "evaluation.json"

    @property
    def failure(self) -> Path:
        """Why the run can't be finished, JSON; there after a loss that is not finite."""
        return self.path / "failed.json"

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.path / "report.html"

    @property
    def is_run(self) -> bool:
        """Was it made by a run? Other programs write a config.json too: theirs is kept."""
        return self.config.exists() and self.checkpoint.parent.is_dir()

    @property
    def is_foreign(self) -> bool:
        """Does it hold something that no run made?"""
        filled = self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir()))
        return filled and not self.is_run

    def prepare(self, config: RunConfig, if_exists: IfExists) -> None:
        """Make the folder, or raise `UsageError` by what is there and what the user said."""
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
            self._create(config)

    def record(self, config: RunConfig) -> None:
        """Keep the config; a resumed run may have another budget than it began with."""
        write_json(self.config, to_json(config))

    def read_config(self) -> RunConfig:
        """The config as it was written; raises `UsageError` if it isn't one."""
        try:
            return from_json(RunConfig, json.loads(self.config.read_text()))
        except FileNotFoundError as error:
            raise UsageError(
                f"{self.path} holds no run (no config.json); give a folder that `train` made."
            ) from error
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.config} can't be read as a run's config ({error}); it was made by another "
                "version or edited, so train again or restore it."
            ) from error

    def _create(self, config: RunConfig) -> None:
        """Made beside its place and then moved there: where that fails, what was there stays."""
        fresh = RunFolder(self.path.with_name(f".{self.path.name}.{os.getpid()}.new"))
        try:
            fresh.checkpoint.parent.mkdir(parents=True)
            fresh.record(config)
            if self.path.exists():
                shutil.rmtree(self.path)
            fresh.path.rename(self.path)
        except OSError as error:
            raise UsageError(
                f"Can't write {self.path} ({error.strerror}); free some space, or choose a place "
                "you may write to with --name."
            ) from error
        finally:
            shutil.rmtree(fresh.path, ignore_errors=True)

    def _require_same(self, config: RunConfig) -> None:
        before, asked = (_plain(one) for one in (self.read_config(), config))
        differing = [k for k in asked if k != "budget" and asked[k] != before[k]]
        if differing:
            raise UsageError(
                f"{self.path} was trained with another {', '.join(differing)} than asked for now; "
                "resume with the options it was started with, or use another --name."
            )


def _plain(config: RunConfig) -> dict:
    return json.loads(json.dumps(to_json(config)))
