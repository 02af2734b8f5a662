"""L0. Numbers as text, the same on the console and on pages."""

NOTHING = "-"
"""Stands for a value that does not apply."""


def number(value: float | None, digits: int) -> str:
    """Fixed digits after the point, thousands separated by commas; a dash for None."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in percent; a dash for None."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}%"


def seconds_text(seconds: float | None) -> str:
    """A duration in seconds, from 10 minutes in minutes, from 2 hours in hours."""
    if seconds is None:
        return NOTHING
    seconds = max(0.0, seconds)
    if seconds < 600:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size_text(count: float) -> str:
    """A number of bytes in bytes, kB, MB, GB or TB, by powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
