"""L0. Where a figure comes from: commit, versions, machine, date. Imports no torch."""

import datetime
import platform
import subprocess
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parent.parent
"""The source tree of the package, where it runs from a checkout."""

_CODE = "*.py", "*.pyi", "*.toml", "constraints.txt"


def provenance() -> dict[str, Any]:
    """Facts that every row of figures carries: commit, clean, torch, hardware, threads, date.

    `commit` is the hash of the checkout's HEAD, `clean` whether its code has no uncommitted changes
    (rows of results are no code); both are None where the package runs from no git
    checkout. `threads` are torch's.
    """
    import torch

    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", *_CODE)
    return {
        "commit": commit,
        "clean": None if commit is None or changes is None else not changes,
        "torch": torch.__version__,
        "hardware": hardware(),
        "threads": torch.get_num_threads(),
        "date": datetime.date.today().isoformat(),
    }


def hardware() -> str:
    """Cores and name of the processor, such as '2 x AMD EPYC', and of the GPU if there is one."""
    import torch

    gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return ", ".join([processor(), *gpu])


def processor() -> str:
    """Cores and name of the processor; its architecture where the system tells no name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


def _git(*words: str) -> str | None:
    """What git says of the source tree; None where that is no checkout of its own.

    A package installed into an environment inside some other repository must not report that
    repository's commit, so the tree itself has to hold `.git`.
    """
    if not (SOURCE / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(SOURCE), *words],
            capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
