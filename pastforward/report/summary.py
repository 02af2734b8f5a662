"""L4. What reports are made of: one summary per run, and the rows of the results table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pastforward.analysis.samples import Samples

Json = dict[str, Any]


@dataclass(frozen=True)
class RunSummary:
    """A finished run."""

    name: str
    evaluation: Json
    """`Evaluation.to_json()`."""
    metrics: list[Json] = field(default_factory=list)
    """Rows with step, tokens, seconds (of the whole run), stage, terms and, at times, valid."""
    facts: Json = field(default_factory=dict)
    """parameters, seconds, serial_calls (a number, or one by stage), hardware, config."""
    samples: Samples | None = None


NOTHING = "-"
"""How a column that does not apply is shown."""


class Result(NamedTuple):
    """A row of the results table; None where a column does not apply."""

    name: str
    kind: str
    """student, teacher or floor."""
    nats: float | None
    error: float | None = None
    accuracy: float | None = None
    over_teacher: float | None = None
    """Student's loss over its teacher's, less 1."""
    parameters: int | None = None
    seconds: float | None = None
    serial_calls: Any = None

    @property
    def bits(self) -> float | None:
        """Bits per output."""
        return None if self.nats is None else self.nats / math.log(2)


HEAD = (
    "network", "nats", "±", "bits", "correct", "to teacher", "weights", "time", "serial",
)  # fmt: skip


def results(runs: Sequence[RunSummary]) -> list[Result]:
    """Every student in the order given, winning or losing, then teachers, then floors."""
    students = [_student(run) for run in runs]
    teachers = {}
    for run in runs:
        score = run.evaluation.get("teacher")
        if score:
            row = Result("", "teacher", score["nats"], score["error"], score["accuracy"])
            teachers.setdefault(row, []).append(run.name)
    named = [row._replace(name=f"teacher of {', '.join(of)}") for row, of in teachers.items()]
    found = {(n, v) for run in runs for n, v in run.evaluation.get("references", {}).items()}
    references = [Result(f"{name} floor", "floor", value) for name, value in sorted(found)]
    return students + named + sorted(references, key=lambda row: row.nats or 0.0)


def cells(result: Result) -> tuple[str, ...]:
    """A row as text, in the order of `HEAD`."""
    return (
        result.name,
        number(result.nats, 4),
        number(result.error, 4),
        number(result.bits, 4),
        percent(result.accuracy),
        _over(result.over_teacher),
        number(result.parameters, 0),
        _time(result.seconds),
        _calls(result.serial_calls),
    )


def best(rows: Sequence[Result]) -> Result | None:
    """The student with the lowest loss; None when no student has one."""
    finite = [row for row in rows if row.kind == "student" and row.nats is not None]
    return min(finite, key=lambda row: row.nats or 0.0, default=None)


def number(value: float | None, digits: int) -> str:
    """Fixed digits, thousands apart; a dash for None."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    """One digit after the point; a dash for None."""
    return NOTHING if value is None else f"{100 * value:.1f}%"


def _student(run: RunSummary) -> Result:
    score, teacher = run.evaluation["student"], run.evaluation.get("teacher")
    # A ratio of densities, which may be negative, would say nothing.
    fair = teacher and score["nats"] is not None and (teacher["nats"] or 0.0) > 0.0
    return Result(
        name=run.name,
        kind="student",
        nats=score["nats"],
        error=score["error"],
        accuracy=score["accuracy"],
        over_teacher=score["nats"] / teacher["nats"] - 1 if teacher and fair else None,
        parameters=run.facts.get("parameters"),
        seconds=run.facts.get("seconds"),
        serial_calls=run.facts.get("serial_calls"),
    )


def _over(value: float | None) -> str:
    # A teacher that solved its task has a loss near 0, and percents of that say little.
    if value is None or value < 1.0:
        return NOTHING if value is None else f"{100 * value:+.1f}%"
    return f"{1 + value:,.1f}x"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds / 60:,.0f} min"


def _calls(calls: Any) -> str:
    if isinstance(calls, dict):
        counts = list(calls.values())
        # A console has no room for many stages.
        return ", ".join(map(str, counts)) if len(counts) < 4 else f"{min(counts)} to {max(counts)}"
    return number(calls, 0)
