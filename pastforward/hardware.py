"""L0. What machine this is, for figures that depend on it."""

import platform
from pathlib import Path


def processor() -> str:
    """Cores and the processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()
