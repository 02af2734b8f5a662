"""Rows of results: read, written, appended."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.paths import RESULTS, RUNS
from pastforward.provenance import provenance
from pastforward.runs.comparison.results import Row

FACTS = ("commit", "clean", "torch", "hardware", "threads", "date")
"""What every row tells besides its command, as `pastforward.provenance` does."""


def runs_of(name: str) -> Path:
    """Where the runs of a comparison lie, as long as they are kept."""
    return RUNS / f"evidence-{name}"


def path_of(name: str) -> Path:
    """Where the rows of a comparison, of analyses or of samples lie."""
    return RESULTS / f"evidence-{name}.json"


def read(name: str, what: str = "rows") -> list[dict[str, Any]]:
    """Rows (or curves) of a comparison; none where it was not made."""
    path = path_of(name)
    return json.loads(path.read_text()).get(what, []) if path.exists() else []


def rows_of(*names: str) -> list[Row]:
    """The rows of comparisons, as `pastforward compare` has them."""
    known = {field.name for field in fields(Row)}
    found = (row for name in names for row in read(name))
    return [Row(**{key: row[key] for key in row if key in known}) for row in found]


def write(name: str, content: dict[str, Any]) -> None:
    """Replace the file of a comparison, of analyses or of samples."""
    path = path_of(name)
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Rows: {path}")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that holds one on each line; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def append(path: Path, command: str, row: dict[str, Any]) -> None:
    """Add a row, with its command and provenance, to a file that holds one on each line."""
    line = json.dumps(row | {"command": command} | provenance())
    with path.open("a") as file:
        file.write(line + "\n")
    print(line, flush=True)
