"""L4. The result of a check: a level, what was measured, the usual cause and what to try."""

from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """How bad a result is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """The result of one check."""

    level: Level
    measured: str
    """One sentence with the figures and the threshold, or why the check was skipped."""
    cause: str = ""
    """The usual cause; empty unless something is wrong."""
    advice: str = ""
    """What to try, with the options of this library."""
    figures: dict[str, float] = field(default_factory=dict)
    check: str = ""
    """Name of the check, as in `CHECKS`; filled in by `examine`."""


class Skip(Exception):
    """Raised inside a check that can't be made; the message says why."""


def ok(measured: str, **figures: float) -> CheckResult:
    """Nothing is wrong."""
    return CheckResult(Level.OK, measured, figures=figures)


def graded(
    level: Level, measured: str, cause: str, advice: str, figures: dict[str, float]
) -> CheckResult:
    """A result whose cause and advice are kept only where something is wrong."""
    fine = level is Level.OK
    return CheckResult(level, measured, "" if fine else cause, "" if fine else advice, figures)


def above(value: float, warning: float, failed: float) -> Level:
    """The level of a figure that should be small; NaN fails."""
    if value < warning:
        return Level.OK
    return Level.WARNING if value < failed else Level.FAILED
