"""The table of labelled sequences in docs/results.md, from benchmarks/results/labelled.jsonl."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.studies.files import read_lines
from benchmarks.studies.labelled import PATH, SEEDS, best_bptt

_HEAD = ("task", "T", "seconds", "BPTT, its best cell and rate", "SMT, windows from targets",
         "its teacher", "S4D", "linear map", "nearest neighbour")  # fmt: skip
Rows = Sequence[dict[str, Any]]


def labelled_table() -> str:
    """Test accuracy: mean over seeds, least and most; then how the rows were made."""
    rows = read_lines(PATH)
    trained = [row for row in rows if row["method"] != "reference"]
    cases = dict.fromkeys((row["task"], row["seconds"]) for row in trained)
    lines = [_line(rows, *case) for case in cases]
    made = dict.fromkeys(f"`{row['command']}`" for row in trained)
    where = ", ".join(sorted({f"{row['hardware']}, {row['date']}" for row in trained}))
    note = f"{', '.join(made)}\n(one thread, two runs side by side; {where}; `{_shown()}`)"
    return "\n".join([_cells(_HEAD), _cells("---" for _ in _HEAD), *lines, "", note])


def _line(rows: Rows, task: str, seconds: float) -> str:
    same = [row for row in rows if row["task"] == task and row.get("seconds") == seconds]
    best = best_bptt(task, seconds)
    bptt = [row for row in same if best and (row["cell"], row["lr"]) == (best.cell, best.lr)]
    smt = [row for row in same if row["method"] == "smt+dmt"]
    named = f" ({best.cell}, {best.lr:g})" if best else ""
    references = {row["cell"]: row["accuracy"] for row in rows
                  if row["task"] == task and row["method"] == "reference"}  # fmt: skip
    shown = [
        task, str(same[0]["T"]), f"{seconds:g}",
        _spread(row["accuracy"] for row in bptt) + named,
        _spread(row["accuracy"] for row in smt),
        _spread(row["teacher"]["accuracy"] for row in smt),
        _spread(row["accuracy"] for row in same if row["cell"] == "s4d"),
        *(f"{references[name]:.1%}" for name in ("LogisticRegression", "KNeighborsClassifier")),
    ]  # fmt: skip
    return _cells(shown)


def _spread(values: Iterable[float]) -> str:
    found = sorted(values)
    if not found:
        return "not run"
    mean = f"{sum(found) / len(found):.1%}"
    few = "" if len(found) == len(SEEDS) else f", {len(found)} seed(s)"
    return f"{mean} ({found[0]:.1%} to {found[-1]:.1%}{few})"


def _cells(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _shown() -> str:
    return f"benchmarks/results/{PATH.name}"
