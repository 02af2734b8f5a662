"""One process of torchrun is killed: all start again, and end as if nothing had been."""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.faults.kills import contents
from benchmarks.faults.rows import ROWS, Tally, bar, write

RESTARTS = 2
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
TRAIN = (
    "train", "killed_ranks:Copies", "--name", "one", "--steps", "16", "--fit.batch", "4",
    "--fit.evaluations", "4",
)  # fmt: skip
MOST = 12
"""Training batches that a rank reads, at least, in all stages."""


def ranks(times: int = 10, seed: int = 0, rows: Path = ROWS) -> int:
    """Kill a process of two at a random batch, as often as torchrun starts them again.

    `times` such runs are compared with an unbroken one.
    """
    tally, draw = Tally(), random.Random(seed)
    with tempfile.TemporaryDirectory() as place, bar(times, "killed ranks") as done:
        unbroken = trained(Path(place) / "unbroken", [])
        if unbroken.returncode:
            raise RuntimeError(f"an unbroken run failed: {unbroken.stderr[-1000:]}")
        expected = result(Path(place) / "unbroken")
        for number in range(times):
            home = Path(place) / str(number)
            plan = [[draw.randrange(2), draw.randint(1, MOST)] for _ in range(RESTARTS)]
            ended = trained(home, plan)
            tally.add(
                "train", f"{ended.stderr.count('exitcode: ')} kills", _fault(ended, home, expected)
            )
            done(number + 1)
    words = ["ranks", "--times", str(times), "--seed", str(seed)]
    return write(rows, words, {"seed": seed} | tally.row("killed ranks"))


def trained(home: Path, plan: list[list[int]]) -> subprocess.CompletedProcess[str]:
    """A run of two processes, killed as planned; torchrun starts new ones up to two times."""
    home.mkdir()
    here = Path(__file__).resolve().parent
    path = os.pathsep.join([str(here), str(here.parent.parent), os.environ.get("PYTHONPATH", "")])
    given = {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "KILLS": json.dumps(plan)}
    words = [*TORCHRUN, "--max-restarts", str(RESTARTS), "-m", "pastforward", *TRAIN]
    return subprocess.run(
        [sys.executable, *words], cwd=home, env=os.environ | given, capture_output=True,
        text=True, timeout=600, check=False,
    )  # fmt: skip


def result(home: Path) -> dict[str, Any]:
    """What the run of `trained` is."""
    return contents(home / "runs" / "one")


def _fault(
    ended: subprocess.CompletedProcess[str], home: Path, expected: dict[str, Any]
) -> str:  # fmt: skip
    if ended.returncode:
        return f"ended with {ended.returncode}: {ended.stderr[-500:]}"
    found = result(home)
    differing = [name for name in expected | found if found.get(name) != expected.get(name)]
    return f"other content in {differing}" if differing else ""
