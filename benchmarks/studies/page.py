"""docs/results.md and docs/results/: their templates *.in.md with tables of rows filled in.

Each table is followed by the commands that made it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.paths import DOCS, ROOT
from benchmarks.studies.analysis_tables import ANALYSIS_TABLES
from benchmarks.studies.comparisons import (
    BITS,
    COMPARISONS,
    MEMORY_SIZES,
    SHORT_FIRST,
    WITH_MLP,
    WITH_OTHERS,
)
from benchmarks.studies.defaults import defaults_table
from benchmarks.studies.extrapolation_table import extrapolation_table
from benchmarks.studies.files import path_of, read, rows_of
from benchmarks.studies.forecast_table import forecast_table
from benchmarks.studies.labelled_table import labelled_table
from benchmarks.studies.summary import summary_table
from benchmarks.studies.tables import (
    by_cell,
    by_memory,
    side_by_side,
    table,
    table_with_bits,
)
from benchmarks.studies.tokens_table import tokens_table
from pastforward.runs.comparison.results import aggregate

COMMAND = "python -m benchmarks.studies"


def section(*names: str, drawn: Callable[..., Iterable[str]] = table) -> str:
    """The table of comparisons and how they were made; or that they were not made."""
    if said := missing(*names):
        return said
    return "\n".join([*drawn(aggregate(rows_of(*names))), "", *map(made, names)])


def memory_sizes() -> str:
    """The table of losses by memory size and how it was made."""
    if said := missing(*MEMORY_SIZES):
        return said
    return "\n".join([*by_memory(MEMORY_SIZES), "", *map(made, MEMORY_SIZES)])


def missing(*names: str) -> str:
    """Which of the comparisons were not made, with the command; empty where none is missing."""
    lacking = [name for name in names if not read(name)]
    return f"not run yet (`{COMMAND} {' '.join(lacking)}`)." if lacking else ""


def made(name: str) -> str:
    """By what command, with which seeds, on what machine and when."""
    rows = rows_of(name)
    done = [row for row in rows if row.seconds is not None]
    where = ", ".join(sorted({f"{row.hardware}, {row.date}" for row in done}))
    seeds = ", ".join(str(seed) for seed in sorted({row.seed for row in done}))
    return f"`{rows[0].command}`\n(seed(s) {seeds}; {where}; `{shown_path(name)}`)\n"


def analyses(question: str) -> str:
    """The table of a question that several runs were asked."""
    rows = [row for row in read("analyses") if row["question"] == question]
    if not rows:
        return f"not asked yet (`{COMMAND} analyses`)."
    where = ", ".join(sorted({f"{row['hardware']}, {row['date']}" for row in rows}))
    seeds = ", ".join(sorted({row["run"].rpartition("seed")[2] for row in rows}))
    note = f"`{COMMAND} analyses` (seed(s) {seeds}; {where}; `{shown_path('analyses')}`)"
    return "\n".join([*ANALYSIS_TABLES[question](rows), "", note])


def samples() -> str:
    """What students wrote."""
    rows: list[dict[str, Any]] = read("samples")
    if not rows:
        return f"not drawn yet (`{COMMAND} samples`)."
    quoted = [f"{row['run']}:\n\n```\n{row['text'].strip()}\n```" for row in rows]
    temperature = rows[0]["temperature"]
    note = f"`{COMMAND} samples` (temperature {temperature}; `{shown_path('samples')}`)"
    return "\n\n".join([*quoted, note])


def shown_path(name: str) -> str:
    """The file of results, as the page names it."""
    return str(path_of(name).relative_to(ROOT))


def filled(text: str) -> str:
    """The text with a table for each comparison and question that it names in braces."""
    for name in COMPARISONS:
        drawn = table_with_bits if name in BITS else table
        text = text.replace(f"{{{name}}}", section(name, drawn=drawn))
    fresh = ("fresh-bptt", "fresh-short-bptt", "fresh-smt")
    text = text.replace("{side by side}", section(*WITH_MLP, drawn=side_by_side))
    text = text.replace("{other cells}", section(*WITH_OTHERS, drawn=by_cell))
    text = text.replace("{fresh}", section(*fresh, drawn=side_by_side))
    text = text.replace("{memory sizes}", memory_sizes())
    text = text.replace("{samples}", samples())
    text = text.replace("{labelled}", labelled_table())
    text = text.replace("{tokens}", tokens_table())
    text = text.replace("{summary}", summary_table())
    text = text.replace("{extrapolation}", extrapolation_table())
    text = text.replace("{short first}", section(*filter(read, SHORT_FIRST)))
    text = text.replace("{forecasts}", forecast_table())
    text = text.replace("{defaults}", defaults_table())
    for question in ANALYSIS_TABLES:
        text = text.replace(f"{{{question}}}", analyses(question))
    return text


def templates() -> list[Path]:
    """What the pages of results are made from."""
    return [DOCS / "results.in.md", *sorted((DOCS / "results").glob("*.in.md"))]


def made_from(template: Path) -> Path:
    """The page of a template."""
    return template.with_name(template.name.replace(".in.md", ".md"))


def write_page() -> None:
    """Write docs/results.md and the pages of docs/results/."""
    for template in templates():
        made_from(template).write_text(filled(template.read_text()))
    print(f"Pages: {DOCS / 'results.md'}, {DOCS / 'results'}")
