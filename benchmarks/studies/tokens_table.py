"""The table of text in bytes, characters and tokens, from benchmarks/results/tokens.jsonl."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.studies.files import read_lines
from benchmarks.studies.tokens import PATH, SECONDS, SEEDS, UNITS, best_bptt

_HEAD = ("unit", "symbols", "bytes a symbol", "T", "unigram", "SMT then DMT", "its teacher",
         "BPTT, its better rate", "steps, SMT and BPTT")  # fmt: skip
Rows = Sequence[dict[str, Any]]


def tokens_table() -> str:
    """Bits a byte on the test part: mean over seeds, least and most; then how rows were made."""
    rows = [row for row in read_lines(PATH) if row["seconds"] == SECONDS]
    if not rows:
        return "not run yet (`python -m benchmarks.studies.tokens`)."
    lines = [_line(unit, found) for unit in UNITS if (found := _of(rows, unit=unit))]
    where = ", ".join(sorted({f"{row['hardware']}, {row['date']}" for row in rows}))
    note = f"`{rows[0]['command']}`\n({SECONDS:g} seconds of CPU time each, one thread; {where}; "
    note += f"`benchmarks/results/{PATH.name}`)"
    return "\n".join([_cells(_HEAD), _cells("---" for _ in _HEAD), *lines, "", note])


def _of(rows: Rows, **key: Any) -> Rows:
    return [row for row in rows if key.items() <= row.items()]


def _line(unit: str, rows: Rows) -> str:
    smt, best = _of(rows, method="smt+dmt"), best_bptt(unit)
    bptt = _of(rows, method="bptt", lr=best.lr) if best else []
    rate = f" (lr {best.lr:g})" if best else ""
    steps = [
        str(round(_mean(r["steps"] for r in found))) if found else "-" for found in (smt, bptt)
    ]
    return _cells([
        unit, f"{rows[0]['vocabulary']:,}", f"{rows[0]['bytes a symbol']:.2f}", str(rows[0]["T"]),
        f"{rows[0]['unigram']:.3f}", _spread(row["bits_per_byte"] for row in smt),
        _spread(row["teacher"] for row in smt), _spread(r["bits_per_byte"] for r in bptt) + rate,
        ", ".join(steps),
    ])  # fmt: skip


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _spread(values: Iterable[float]) -> str:
    found = sorted(values)
    if not found:
        return "not run"
    few = "" if len(found) == len(SEEDS) else f", {len(found)} seed(s)"
    return f"{_mean(found):.3f} ({found[0]:.3f} to {found[-1]:.3f}{few})"


def _cells(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"
