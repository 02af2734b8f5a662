"""L6. Results of a comparison: a row for every run, and means over seeds."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from pastforward.analysis.metrics import figure
from pastforward.files import write_json
from pastforward.outputs import NATS
from pastforward.recipes.strategies import CURRICULUM, learns_from_targets
from pastforward.report.summary import unit_of
from pastforward.runs.comparison.grid import Setting, Trial
from pastforward.runs.comparison.record import Record, State, failure_of, folder_of, state
from pastforward.runs.saving import read_saved

Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One run; figures are None until it is finished."""

    task: str
    cell: str
    strategy: str
    seed: int
    state: str
    folder: str
    command: str
    error: str | None = None
    T: int | None = None
    lr: list[float] = field(default_factory=list)
    """By stage."""
    nats: float | None = None
    """Held-out loss per output of the student alone, in `unit`."""
    unit: str = NATS
    bits_per_byte: float | None = None
    """Of text."""
    accuracy: float | None = None
    select: str = "loss"
    """The metric that chose the student, a name in `METRICS`."""
    selected: float | None = None
    """That metric, held-out."""
    teacher_nats: float | None = None
    references: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None
    tokens: int | None = None
    steps: int | None = None
    calls: int | None = None
    """Cell calls one after the other in all."""
    parameters: int | None = None
    commit: str | None = None
    clean: bool | None = None
    torch: str | None = None
    hardware: str | None = None
    threads: int | None = None
    date: str | None = None


_FACTS = (
    "seconds", "tokens", "steps", "calls", "parameters", "commit", "clean", "torch", "hardware",
    "threads", "date",
)  # fmt: skip
"""Fields of a row that are facts of its run."""


class Spread(NamedTuple):
    """A mean over seeds and their standard deviation, None of a single one."""

    mean: float
    deviation: float | None


@dataclass(frozen=True)
class Line:
    """A setting's runs taken together; means are over those that are finished."""

    setting: Setting
    length: int | None
    planned: int
    finished: int
    failed: int
    nats: Spread | None
    unit: str
    bits_per_byte: Spread | None
    accuracy: Spread | None
    select: str
    selected: Spread | None
    teacher: Spread | None
    seconds: Spread | None
    tokens: Spread | None
    calls: Spread | None
    parameters: int | None
    lr: list[float]
    references: dict[str, float]


def collect(root: Path, record: Record) -> list[Row]:
    """A row for every planned run, as far as it is."""
    return [_row(root, record, trial) for trial in record.grid.trials()]


def aggregate(rows: Sequence[Row]) -> list[Line]:
    """A line for every setting, in the order of its first row."""
    groups: dict[Setting, list[Row]] = {}
    for row in rows:
        groups.setdefault(Setting(row.task, row.cell, row.strategy), []).append(row)
    lines = [_line(setting, group) for setting, group in groups.items()]
    order = list(dict.fromkeys(row.task for row in rows))
    return sorted(lines, key=lambda line: order.index(line.setting.task))


def best_of(lines: Sequence[Line]) -> set[Setting]:
    """The settings with the lowest mean loss on their task."""
    found: dict[str, Line] = {}
    for line in lines:
        best = found.get(line.setting.task)
        if line.nats and (not best or not best.nats or line.nats.mean < best.nats.mean):
            found[line.setting.task] = line
    return {line.setting for line in found.values()}


FEWEST_SEEDS = 3
"""Below it no row is called a win."""


class Duel(NamedTuple):
    """On one task: the best line that learns from target memories, and the best of the others."""

    ours: Line
    opponent: Line
    lead: float
    """Loss by which ours is better, in the `unit` of both."""
    spread: float
    """The larger standard deviation of the two."""
    has_curriculum: bool
    """Was BPTT tried with short sequences first?"""

    @property
    def objection(self) -> str | None:
        """Why it is no win; None where it is one."""
        if self.lead <= 0:
            return "the opponent is as good or better"
        fewest = min(self.ours.finished, self.opponent.finished)
        if fewest < FEWEST_SEEDS:
            return f"{fewest} of the {FEWEST_SEEDS} seeds that it takes"
        if self.lead <= self.spread:
            return "no more than the spread over seeds"
        return None if self.has_curriculum else f"{CURRICULUM} was not run"


def duel(lines: Sequence[Line]) -> Duel | None:
    """Of the lines of one task; None where either side has no figure."""
    sides: dict[bool, list[tuple[Spread, Line]]] = {True: [], False: []}
    for line in lines:
        if line.nats is not None:
            sides[learns_from_targets(line.setting.strategy)].append((line.nats, line))
    if not all(sides.values()):
        return None
    (nats, ours), (other, opponent) = (
        min(sides[own], key=lambda pair: pair[0].mean) for own in (True, False)
    )
    return Duel(
        ours, opponent, other.mean - nats.mean, max(nats.deviation or 0.0, other.deviation or 0.0),
        any(line.setting.strategy == CURRICULUM for _, line in sides[False]),
    )  # fmt: skip


def write_results(root: Path, record: Record, rows: Sequence[Row]) -> Path:
    """results.json in the comparison's folder."""
    path = root / "results.json"
    write_json(path, {"command": record.command, "rows": [asdict(row) for row in rows]})
    return path


def spread(values: Iterable[float | None]) -> Spread | None:
    """Mean and standard deviation (over n - 1) of what is there; None of nothing."""
    found = [value for value in values if value is not None]
    if not found:
        return None
    return Spread(statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else None)


def _row(root: Path, record: Record, trial: Trial) -> Row:
    folder = folder_of(root, record.grid, trial)
    how, setting = state(folder), trial.setting
    row = Row(
        setting.task, setting.cell, setting.strategy, trial.seed, how.value,
        str(folder.path.relative_to(root)), record.command,
    )  # fmt: skip
    if how is State.FAILED:
        return replace(row, error=failure_of(folder))
    if how is State.FINISHED:
        return Row(**(asdict(row) | _measured(read_saved(folder.evaluation))))
    return row


def _measured(saved: Json) -> Json:
    evaluation, facts = saved["evaluation"], saved["facts"]
    student, teacher = evaluation["student"], evaluation["teacher"] or {}
    select = facts["config"]["fit"]["select"]
    return {name: facts.get(name) for name in _FACTS} | {
        "T": facts.get("length"),
        "lr": [stage["lr"] for stage in facts["config"]["stages"]],
        "nats": student["nats"],
        "unit": unit_of([student]),
        "bits_per_byte": student.get("bits_per_byte"),
        "accuracy": student["accuracy"],
        "select": select,
        "selected": figure(select, student),
        "teacher_nats": teacher.get("nats"),
        "references": evaluation["references"],
    }


def _line(setting: Setting, rows: Sequence[Row]) -> Line:
    done = [row for row in rows if row.state == State.FINISHED.value]
    one = done[0] if done else rows[0]
    return Line(
        setting, one.T, len(rows), len(done),
        sum(row.state == State.FAILED.value for row in rows),
        nats=spread(row.nats for row in done),
        unit=one.unit,
        bits_per_byte=spread(row.bits_per_byte for row in done),
        accuracy=spread(row.accuracy for row in done),
        select=one.select,
        selected=spread(row.selected for row in done),
        teacher=spread(row.teacher_nats for row in done),
        seconds=spread(row.seconds for row in done),
        tokens=spread(row.tokens for row in done),
        calls=spread(row.calls for row in done),
        parameters=one.parameters,
        lr=one.lr,
        references=one.references,
    )  # fmt: skip
