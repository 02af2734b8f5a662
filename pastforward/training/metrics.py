"""L4. metrics.jsonl: one JSON object a line, appended as training goes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pastforward.errors import UsageError

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
