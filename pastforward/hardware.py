"""L0. What machine this is, for figures that depend on it."""

import platform
import resource
import sys
from pathlib import Path


def processor() -> str:
    """Cores and the processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


def resident(peak: bool = False) -> float:
    """MiB of this process that are in memory, or were at most.

    Linux tells both. Elsewhere it is the peak, which a process may inherit from its parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(facts["VmHWM" if peak else "VmRSS"].split()[0]) / 1024
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
