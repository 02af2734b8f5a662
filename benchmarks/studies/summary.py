"""The big table of docs/results.md: every task, SMT then DMT beside its best opponent.

A row is called *ahead* or *behind* where means differ by more than the spread over three seeds or
more of both, and short sequences first were among the opponents or have no meaning (one label at
the end of a sequence); otherwise the difference is printed and nothing is claimed.
"""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from benchmarks.studies.files import read_lines, rows_of
from benchmarks.studies.labelled import PATH, best_bptt
from pastforward.runs.comparison.results import Row

_HEAD = ("task", "T", "seconds", "best opponent", "SMT then DMT", "its teacher",
         "best linear network", "verdict")  # fmt: skip
FEWEST = 3
"""Seeds of a verdict."""
AHEAD, BEHIND = "**ahead**", "behind"


class Case(NamedTuple):
    """A row of the table of results: which rows of which files it is made of."""

    what: str
    task: str
    bptt: tuple[str, ...]
    smt: tuple[str, ...]
    first_short: str | None = None
    """The comparison in which BPTT with short sequences first is: by prefixes alone in 'prefix'."""
    accurate: bool = True
    """Shown as outputs right; otherwise as nats per output."""
    strategy: str = "smt+dmt"
    cell: str = "mlp"
    opponent_cell: str | None = None
    """The cell of BPTT, where another than SMT's did better."""


CASES = (
    Case("string copy", "copy:128", ("copy-longer-bptt",), ("copy-longer",), "curriculum"),
    Case("string copy, Elman cell", "copy:128", (), ("long-copy-128",), "long-copy-128",
         cell="elman"),
    Case("string copy, Elman cell", "copy:256", (), ("long-copy-256",), "curriculum-copy-256",
         cell="elman", opponent_cell="torch-gru"),
    Case("retrieval of a marked symbol", "retrieval:512", ("retrieval",), ("retrieval",),
         "curriculum-retrieval"),
    Case("8 key-value pairs", "key_values:64", ("key_values-bptt",), ("key_values",),
         "curriculum-key_values"),
    Case("8 key-value pairs", "key_values:128", ("key_values-128-bptt",), ("key_values-128-smt",),
         "curriculum-key_values-128"),
    Case("modular arithmetic", "modular:512", ("lengths-bptt",), ("lengths-tracking-smt",),
         "prefix"),
    Case("products of permutations (S5)", "s5:512,elements=2", ("lengths-bptt",),
         ("lengths-tracking-smt",), "prefix"),
    Case("stack", "stack:128", ("lengths-bptt",), ("lengths-smt",), "curriculum-stack"),
    Case("the paper's needle", "retrieval:64,within=50", ("paper",), ("paper",), "paper"),
    Case("the paper's reversed copy", "reversed_copy:64,delimiter=1", ("paper",),
         ("paper-again",), "paper"),
    Case("the paper's stack", "stack:64,depth=10,symbols=4", ("paper",), ("paper",), "paper"),
    Case("the paper's recall", "recall:64", ("paper",), ("paper",), "paper"),
    Case("the paper's regression", "regression:64", ("paper",), ("paper-again",), "paper"),
    Case("digits", "digits", ("digits-again",), ("digits-again",), "digits-again",
         accurate=False),
    Case("digits, finetuned by BPTT", "digits", ("digits-bptt",), ("digits",),
         "digits-again", accurate=False, strategy="smt+dmt+bptt"),
    Case("MNIST, pixel by pixel", "mnist", ("mnist",), ("mnist",), accurate=False),
    Case("Shakespeare, bytes", "tinyshakespeare.txt", ("text",), ("text",),
         accurate=False),
    Case("TinyStories, bytes", "tinystories", ("stories",), ("stories",), accurate=False),
)  # fmt: skip


class Figures(NamedTuple):
    """One figure of one network on a task, a value for each seed."""

    values: tuple[float, ...]
    accurate: bool
    """Shares of outputs right; otherwise nats."""
    who: str = ""

    def __str__(self) -> str:
        mean = statistics.fmean(self.values)
        text = f"{mean:.1%}" if self.accurate else f"{mean:.3f} nats"
        if len(self.values) > 1:
            low, high = min(self.values), max(self.values)
            text += (
                f" ({low:.1%} to {high:.1%})" if self.accurate else f" ({low:.3f} to {high:.3f})"
            )
        return f"{text}, {self.who}" if self.who else text

    def short(self) -> str:
        """The mean alone, and whose it is."""
        return str(self._replace(values=(statistics.fmean(self.values),)))

    @property
    def goodness(self) -> float:
        """The mean, larger for the better."""
        return statistics.fmean(self.values) * (1 if self.accurate else -1)

    @property
    def spread(self) -> float:
        """Largest less smallest."""
        return max(self.values) - min(self.values)


class Line(NamedTuple):
    """A row of the table."""

    task: str
    T: int
    seconds: float
    opponents: tuple[Figures, ...]
    smt: Figures
    teacher: Figures | None
    linear: Figures | None
    fair: bool
    """Short sequences first were tried, or have no meaning."""

    @property
    def opponent(self) -> Figures:
        """The best of them."""
        return max(self.opponents, key=lambda one: one.goodness)

    def verdict(self) -> str:
        """Ahead, behind, level, or why none of them is said."""
        lead = self.smt.goodness - self.opponent.goodness
        seeds = min(len(self.smt.values), len(self.opponent.values))
        clear = abs(lead) > max(self.smt.spread, self.opponent.spread)
        if lead < 0:
            return BEHIND if clear and seeds >= FEWEST else f"{BEHIND}, unclear"
        if not self.fair:
            return "open: curriculum not run"
        if seeds < FEWEST:
            return f"open: {seeds} seed(s)"
        return AHEAD if clear else "level"


def summary_table() -> str:
    """Markdown of all rows."""
    lines = [cells(_HEAD), cells("---" for _ in _HEAD)]
    return "\n".join([*lines, *map(_shown, summary())])


def summary() -> list[Line]:
    """Labelled sequences, then what has outputs at many steps."""
    rows = [row for row in read_lines(PATH) if row["method"] != "reference"]
    budgets = dict.fromkeys((row["task"], row["seconds"]) for row in rows)
    found = (_labelled(rows, *budget) for budget in budgets)
    return [line for line in found if line] + [_compared(case) for case in CASES]


def _labelled(rows: Sequence[dict[str, Any]], task: str, seconds: float) -> Line | None:
    same = [row for row in rows if (row["task"], row["seconds"]) == (task, seconds)]
    best = best_bptt(task, seconds)
    bptt = [row for row in same if best and (row["cell"], row["lr"]) == (best.cell, best.lr)]
    smt = [row for row in same if row["method"] == "smt+dmt"]
    s4d = [row for row in same if row["cell"] == "s4d"]
    if not (best and bptt and smt):
        return None
    return Line(
        task, smt[0]["T"], seconds, (_accuracy(bptt, f"BPTT, `{best.cell}`"),), _accuracy(smt),
        _accuracy([row["teacher"] for row in smt]),
        _accuracy(s4d, "S4D") if s4d else None, True,
    )  # fmt: skip


def _accuracy(rows: Iterable[dict[str, Any]], who: str = "") -> Figures:
    return Figures(tuple(row["accuracy"] for row in rows), True, who)


def _compared(case: Case) -> Line:
    smt = rows_for(case, case.smt, case.strategy)
    first_short = curriculum_rows(case)
    cell = f", `{case.opponent_cell}`" if case.opponent_cell else ""
    opponents = []
    if case.bptt:
        opponents.append(_figures(case, _opponents(case, case.bptt, "bptt"), f"BPTT{cell}"))
    if first_short:
        opponents.append(_figures(case, first_short, f"BPTT, short first{cell}"))
    teacher = [row.teacher_nats for row in smt if row.teacher_nats is not None]
    return Line(
        case.what, smt[0].T or 0, statistics.fmean(row.seconds or 0 for row in smt),
        tuple(opponents), _figures(case, smt), Figures(tuple(teacher), False) if teacher else None,
        None, bool(first_short),
    )  # fmt: skip


def rows_for(case: Case, names: Sequence[str], strategy: str) -> list[Row]:
    found = [
        row
        for row in rows_of(*names)
        if (row.task, row.cell, row.strategy) == (case.task, case.cell, strategy)
    ]
    assert found, f"no row of {case.task} by {strategy} in {names}"
    return found


def curriculum_rows(case: Case) -> list[Row]:
    if case.first_short is None or not rows_of(case.first_short):
        return []
    strategy = "bptt" if case.first_short == "prefix" else "bptt-curriculum"
    return _opponents(case, (case.first_short,), strategy)


def _opponents(case: Case, names: Sequence[str], strategy: str) -> list[Row]:
    return rows_for(case._replace(cell=case.opponent_cell or case.cell), names, strategy)


def _figures(case: Case, rows: Iterable[Row], who: str = "") -> Figures:
    values = (row.accuracy if case.accurate else row.nats for row in rows)
    return Figures(tuple(v for v in values if v is not None), case.accurate, who)


def _shown(line: Line) -> str:
    return cells([
        line.task, str(line.T), f"{line.seconds:.0f}", str(line.opponent), str(line.smt),
        str(line.teacher or "none"), str(line.linear or "not run"), line.verdict(),
    ])  # fmt: skip


def cells(texts: Iterable[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(texts)} |"
