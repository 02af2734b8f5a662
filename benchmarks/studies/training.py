"""Run a comparison, or what is left of it, and keep its rows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.paths import ROOT
from benchmarks.studies.comparisons import COMPARISONS, CURVES, DATA, ONE_CORE
from benchmarks.studies.files import runs_of, write
from benchmarks.studies.one_core import NAME


def command(name: str) -> list[str]:
    """The comparison as a user would type it."""
    jobs = "1" if name in ONE_CORE else "2"
    words = f"{COMPARISONS[name]} --jobs {jobs} --name evidence-{name}".split()
    return [_program(name), "compare", *words]


def _program(name: str) -> str:
    return NAME.split()[-1] if name in ONE_CORE else "pastforward"


def train(name: str) -> None:
    """Run a comparison; finished runs are kept. Left out where its data is missing."""
    path = Path(COMPARISONS[name].split()[0])
    if path.parent != Path() and not path.exists():
        print(f"{name} is left out: PASTFORWARD_DATA names no folder with {path.name}")
        return
    resume = ["--resume"] if (runs_of(name) / "grid.json").exists() else []
    words = [sys.executable, "-m", *command(name), *resume]
    done = subprocess.run(words, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"'{' '.join(command(name))}' ended with code {done.returncode}")
    keep(name)


def keep(name: str) -> None:
    """Write rows without the paths of this machine, and loss curves where they are drawn."""
    rows = json.loads((runs_of(name) / "results.json").read_text())["rows"]
    for row in rows:
        row["command"] = row["command"].replace(f"{DATA}/", "")
        if name in ONE_CORE:
            row["command"] = row["command"].replace("pastforward", NAME, 1)
        row["task"] = row["task"].replace(f"{DATA}/", "")
    curves = [curve(runs_of(name), row) for row in rows if name in CURVES]
    write(name, {"rows": rows} | ({"curves": curves} if curves else {}))


def curve(place: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Held-out losses of a run during training, with what had been spent until then."""
    lines = (place / row["folder"] / "metrics.jsonl").read_text().splitlines()
    points = [point for point in map(json.loads, lines) if point.get("valid") is not None]
    names = ("seconds", "tokens", "calls", "valid")
    return {name: row[name] for name in ("task", "cell", "strategy", "seed")} | {
        name: [point[name] for point in points] for name in names
    }
