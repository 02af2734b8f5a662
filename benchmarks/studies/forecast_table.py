"""The table of forecasts in docs/results.md, from benchmarks/results/forecasts.jsonl."""

from collections.abc import Sequence
from typing import Any

from benchmarks.studies.files import read_lines
from benchmarks.studies.forecasts import METHODS, PATH, SEEDS

_HEAD = ("series, rows ahead", "forecast", "MASE", "to ridge", "CRPS", "in 80%")
_OTHERS = ("best possible", "ridge", "seasonal naive", "naive")
Rows = Sequence[dict[str, Any]]


def forecast_table() -> str:
    """Students by method, mean over seeds, least and most, beside what needs no network."""
    rows = read_lines(PATH)
    lines = [line for name in dict.fromkeys(row["series"] for row in rows)
             for line in _lines([row for row in rows if row["series"] == name])]  # fmt: skip
    trained = [row for row in rows if row["method"] in METHODS]
    made = dict.fromkeys(f"`{row['command']}`" for row in trained)
    where = ", ".join(sorted({f"{row['hardware']}, {row['date']}" for row in trained}))
    note = (
        f"{', '.join(made)}\n(one thread, CPU seconds; {where}; `benchmarks/results/{PATH.name}`)"
    )
    return "\n".join([_cells(_HEAD), _cells(["---"] * len(_HEAD)), *lines, "", note])


def _lines(rows: Rows) -> list[str]:
    named = f"{rows[0]['series']}, {rows[0]['horizon']}"
    ridge = next(row["mase"] for row in rows if row["method"] == "ridge")
    cases = dict.fromkeys((row["method"], row["seconds"]) for row in rows)
    order = [*METHODS, *_OTHERS]
    found = []
    for method, seconds in sorted(cases, key=lambda case: (order.index(case[0]), case[1])):
        same = [row for row in rows if (row["method"], row["seconds"]) == (method, seconds)]
        mase = [row["mase"] for row in same]
        name = f"{method}, {seconds:g} s" if method in METHODS else method
        few = method in METHODS and len(same) < len(SEEDS)
        name += f" ({len(same)} seed(s))" if few else ""
        losses, shares = ([row[key] for row in same] for key in ("crps", "coverage"))
        found.append(_cells([
            "" if found else named, name, _spread(mase, "{:.3f}"),
            f"{sum(mase) / len(mase) / ridge - 1:+.1%}", _spread(losses, "{:.4g}"),
            _spread(shares, "{:.0%}"),
        ]))  # fmt: skip
    return found


def _spread(values: list[float], form: str) -> str:
    mean = form.format(sum(values) / len(values))
    if len(values) == 1:
        return mean
    return f"{mean} ({form.format(min(values))} to {form.format(max(values))})"


def _cells(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"
