"""Short forms of `python -m benchmarks.faults`: kills, damaged files, random options, a stream."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.kills import CASES
from benchmarks.paths import ROOT
from benchmarks.studies.files import FACTS
from pastforward.cli import COMMANDS


def run(rows: Path, *words: str) -> list[dict]:
    """Rows that a command wrote; nothing may have failed."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", *words, "--rows", str(rows)], cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.rstrip().endswith(f"Rows: {rows}")
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    assert all({"command", "tried", "failed", "by_kind", *FACTS} <= row.keys() for row in found)
    assert all(row["failed"] == 0 for row in found)
    return found


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are watched by Linux")


def test_commands_that_are_killed_go_on(tmp_path):
    words = ["--times", "6", "--cases", "train", "train --overwrite", "label --overwrite"]
    (row,) = run(tmp_path / "rows.jsonl", "kills", *words)
    assert row["tried"] >= 6


def test_damaged_files_and_random_options(tmp_path):
    files, options = run(tmp_path / "rows.jsonl", "fuzz", "--files", "60", "--options", "20")
    assert (files["what"], files["tried"]) == ("fuzz files", 60)
    assert (options["what"], options["tried"]) == ("fuzz options", 20)
    assert len(files["by_kind"]) > 10


def test_a_stream_stays_what_it_is(tmp_path):
    (row,) = run(tmp_path / "rows.jsonl", "stream", "--steps", "1500")
    assert row["steps"] == 1500
    assert row["growth_mib"] <= 2


def test_all_commands_that_write_for_long_are_killed():
    assert {"train", "compare", "label"} <= {name.partition(" ")[0] for name in CASES}
    assert {name.partition(" ")[0] for name in CASES} <= COMMANDS.keys()
