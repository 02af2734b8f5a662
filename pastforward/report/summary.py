"""L4. A summary per run, and the rows of the results table."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pastforward.analysis.samples import Samples
from pastforward.data.source import BEST_POSSIBLE
from pastforward.outputs import NATS
from pastforward.report.formats import NOTHING, number, percent, seconds_text

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


class Result(NamedTuple):
    """A row of the results table; None where a column does not apply."""

    name: str
    kind: str
    """student, teacher or reference."""
    nats: float | None
    """Loss per output, in `unit`."""
    error: float | None = None
    accuracy: float | None = None
    over_teacher: float | None = None
    """Student's loss over its teacher's, less 1."""
    parameters: int | None = None
    seconds: float | None = None
    serial_calls: Any = None
    unit: str = NATS
    bits_per_byte: float | None = None
    """Of text."""
    note: str = ""
    """A sentence where a network is no better than a predictor that reads no input."""

    @property
    def bits(self) -> float | None:
        """Bits per output."""
        return None if self.nats is None or self.unit != NATS else self.nats / math.log(2)


HEAD = (
    "network",
    "loss",
    "±",
    "bits",
    "bits/byte",
    "correct",
    "to teacher",
    "weights",
    "time",
    "serial",
)
"""Columns, of which that of losses is shown under their unit."""
_SAME = 1e-4
"""Nats: a unigram model of equally frequent symbols differs from 'uniform' by sampling only."""


def unit_of(scores: Iterable[Mapping[str, Any]]) -> str:
    """The unit that losses have in common, scores as JSON; 'loss' where they have several."""
    units = {score.get("unit", NATS) for score in scores}
    return units.pop() if len(units) == 1 else "loss"


def run_unit(runs: Iterable[RunSummary]) -> str:
    """The unit that the losses of runs have in common."""
    return unit_of(run.evaluation["student"] for run in runs)


def bytes_share(runs: Iterable[RunSummary]) -> float | None:
    """Bits a byte of one nat per output, of text; None of other data, and where runs differ."""
    scores = [run.evaluation["student"] for run in runs]
    if not all(score.get("bits_per_byte") and score["nats"] for score in scores):
        return None
    shares = {round(score["bits_per_byte"] / score["nats"], 9) for score in scores}
    return shares.pop() if len(shares) == 1 else None


def distinct_references(found: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Names and nats per output, least first; 'uniform' is dropped beside one of the same loss."""
    rows: list[tuple[str, float]] = []
    for name, nats in sorted(set(found), key=lambda reference: reference[::-1]):
        if not rows or nats - rows[-1][1] >= _SAME:
            rows.append((name, nats))
        elif rows[-1][0] == "uniform":
            rows[-1] = (name, nats)
    return rows


def naive_reference(references: Mapping[str, float]) -> tuple[str, float] | None:
    """Name and nats of the best predictor that reads no input; None when none is known."""
    naive = [(name, nats) for name, nats in references.items() if name != BEST_POSSIBLE]
    return next(iter(distinct_references(naive)), None)


def reference_label(name: str) -> str:
    """How a table calls a reference."""
    return "best possible" if name == BEST_POSSIBLE else f"{name} reference"


def unhelpful(nats: float | None, references: Mapping[str, float]) -> str:
    """A sentence where a loss is not below the naive reference, at the digits shown; else ''."""
    naive = naive_reference(references)
    if nats is None or naive is None or round(nats, 4) < round(naive[1], 4):
        return ""
    return f"no better than the {naive[0]} reference: it has learned nothing that helps"


def results(runs: Sequence[RunSummary]) -> list[Result]:
    """Every student in the order given, winning or losing, then teachers, then references."""
    students = [_student(run) for run in runs]
    teachers = {}
    for run in runs:
        score = run.evaluation.get("teacher")
        if score:
            note = unhelpful(score["nats"], run.evaluation["references"])
            row = Result(
                "", "teacher", score["nats"], score["error"], score["accuracy"], note=note,
                unit=unit_of([score]), bits_per_byte=score.get("bits_per_byte"),
            )  # fmt: skip
            teachers.setdefault(row, []).append(run.name)
    named = [row._replace(name=f"teacher of {', '.join(of)}") for row, of in teachers.items()]
    found = [pair for run in runs for pair in run.evaluation["references"].items()]
    references = distinct_references(found)
    unit, share = run_unit(runs), bytes_share(runs)
    shown = [
        Result(reference_label(n), "reference", v, unit=unit, bits_per_byte=share and share * v)
        for n, v in references
    ]
    return students + named + shown


def cells(result: Result) -> tuple[str, ...]:
    """A row as text, in the order of `HEAD`."""
    return (
        result.name, number(result.nats, 4), number(result.error, 4), number(result.bits, 4),
        number(result.bits_per_byte, 4), percent(result.accuracy), _over(result.over_teacher),
        number(result.parameters, 0), seconds_text(result.seconds), _calls(result.serial_calls),
    )  # fmt: skip


def best(rows: Sequence[Result]) -> Result | None:
    """The student with the lowest loss; None when no student beats the naive reference."""
    helpful = [r for r in rows if r.kind == "student" and r.nats is not None and not r.note]
    return min(helpful, key=lambda row: row.nats or 0.0, default=None)


def _student(run: RunSummary) -> Result:
    score, teacher = run.evaluation["student"], run.evaluation.get("teacher")
    # A ratio of densities, which may be negative, would say nothing.
    fair = teacher and score["nats"] is not None and (teacher["nats"] or 0.0) > 0.0
    return Result(
        run.name, "student", score["nats"], score["error"], score["accuracy"],
        over_teacher=score["nats"] / teacher["nats"] - 1 if teacher and fair else None,
        note=unhelpful(score["nats"], run.evaluation["references"]),
        parameters=run.facts.get("parameters"), seconds=run.facts.get("seconds"),
        serial_calls=run.facts.get("serial_calls"), unit=unit_of([score]),
        bits_per_byte=score.get("bits_per_byte"),
    )  # fmt: skip


def _over(value: float | None) -> str:
    # A teacher that solved its task has a loss near 0, and percents of that say little.
    if value is None or value < 1.0:
        return NOTHING if value is None else f"{100 * value:+.1f}%"
    return f"{1 + value:,.1f}x"


def _calls(calls: Any) -> str:
    if isinstance(calls, dict):
        counts = list(calls.values())
        # A console has no room for many stages.
        return ", ".join(map(str, counts)) if len(counts) < 4 else f"{min(counts)} to {max(counts)}"
    return number(calls, 0)
