"""The tables of README.md, from rows of results: written between their markers, and held by a test.

python -m benchmarks.studies page      writes them, with docs/results.md
"""

import json
import re
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from benchmarks.paths import RESULTS, ROOT
from benchmarks.studies.files import rows_of
from pastforward.runs.comparison.results import Row

README = ROOT / "README.md"
NONE = "not run"


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
    seconds: int | None = None


CASES = (
    Case("string copy", "copy:128", ("copy-longer-bptt",), ("copy-longer",), "curriculum"),
    Case("string copy, Elman cell", "copy:128", ("cells-copy-bptt",), ("cells-copy-smt",),
         "curriculum-elman", cell="elman"),
    Case("retrieval of one marked symbol", "retrieval:512", ("retrieval",), ("retrieval",),
         "curriculum-retrieval"),
    Case("8 key-value pairs", "key_values:64", ("key_values-bptt",), ("key_values",),
         "curriculum-key_values"),
    Case("the same", "key_values:128", ("key_values-128-bptt",), ("key_values-128-smt",),
         "curriculum-key_values-128"),
    Case("modular arithmetic", "modular:512", ("lengths-bptt",), ("lengths-tracking-smt",),
         "prefix"),
    Case("products of permutations (S5)", "s5:512,elements=2", ("lengths-bptt",),
         ("lengths-tracking-smt",), "prefix"),
    Case("stack", "stack:128", ("lengths-bptt",), ("lengths-smt",), "curriculum-stack"),
    Case("digits, nats a pixel", "digits", ("digits-bptt",), ("digits",), "curriculum-digits",
         accurate=False),
    Case("the same, finetuned by BPTT", "digits", ("digits-bptt",), ("digits",),
         "curriculum-digits", accurate=False, strategy="smt+dmt+bptt"),
    Case("MNIST, nats a pixel", "mnist", ("mnist",), ("mnist",), accurate=False),
    Case("Shakespeare, nats a byte", "tinyshakespeare.txt", ("text",), ("text",),
         accurate=False),
    Case("TinyStories, nats a byte", "tinystories", ("stories",), ("stories",), accurate=False),
)  # fmt: skip


def results_table() -> list[str]:
    """Markdown of the table of results."""
    names = ("task", "T", "seconds, seeds", "BPTT at length T", "BPTT, short sequences first",
             "SMT then DMT")  # fmt: skip
    return [f"| {' | '.join(names)} |", "|---|---|---|---|---|---|", *map(_line, CASES)]


def _line(case: Case) -> str:
    bptt = _rows(case, case.bptt, "bptt")
    smt = _rows(case, case.smt, case.strategy)
    shown = [_mean(case, bptt), _first_short(case, smt), _mean(case, smt)]
    figures = _figures(case)
    best = _best(case, figures)
    # No win is claimed where BPTT was not tried with short sequences first.
    open_question = figures[1] is None and best == figures[2]
    bold = [
        f"**{text}**" if value == best and not open_question else text
        for text, value in zip(shown, figures, strict=True)
    ]
    seeds = f"{len(smt)}" if len(smt) == len(bptt) else f"{len(bptt)} and {len(smt)}"
    return f"| {case.what} | {smt[0].T} | {_seconds(smt)}, {seeds} | {' | '.join(bold)} |"


def _figures(case: Case) -> list[float | None]:
    """BPTT, BPTT with short sequences first, SMT then DMT, as shown."""
    smt = _value(case, _rows(case, case.smt, case.strategy))
    return [_value(case, _rows(case, case.bptt, "bptt")), _first_short_value(case), smt]


def _best(case: Case, figures: Sequence[float | None]) -> float:
    return (max if case.accurate else min)(value for value in figures if value is not None)


def _seconds(rows: Iterable[Row]) -> int:
    return round(statistics.fmean(row.seconds for row in rows if row.seconds))


def reading() -> list[str]:
    """What the table says, in sentences: who leads where BPTT was tried with short sequences."""
    tried = [case for case in CASES if _figures(case)[1] is not None]
    ahead = [case for case in tried if _best(case, (figures := _figures(case))) == figures[2]
             and _lead(case) > LEVEL]  # fmt: skip
    names = [f"{_name(case)} ({_mean(case, _rows(case, case.smt, case.strategy))} against "
             f"{_first_short(case, ())})" for case in ahead]  # fmt: skip
    other = [_name(case) for case in tried if case not in ahead]
    untried = [_name(case) for case in CASES if case not in tried]
    return [
        f"BPTT was tried with short sequences first on {len(tried)} rows. There SMT then DMT is "
        f"ahead of it by more than {LEVEL:.0%} on {len(ahead)}: {'; '.join(names) or 'none'}.",
        f"It is as good or better on {len(other)}: {'; '.join(other) or 'none'}.",
        f"It was not run on {len(untried)}: {'; '.join(untried) or 'none'}.",
    ]


def _name(case: Case) -> str:
    """What a row is, by itself."""
    before = [one.what for one in CASES[: CASES.index(case) + 1] if "the same" not in one.what]
    what = case.what.replace("the same", before[-1].partition(",")[0])
    return f"{what.partition(', nats')[0]} (T = {_rows(case, case.smt, case.strategy)[0].T})"


LEVEL = 0.01
"""Outputs right, or part of the nats, by which one must lead."""


def _lead(case: Case) -> float:
    bptt, first_short, smt = _figures(case)
    opponent = _best(case, (bptt, first_short))
    assert smt is not None
    return smt - opponent if case.accurate else (opponent - smt) / opponent


def _rows(case: Case, names: Sequence[str], strategy: str) -> list[Row]:
    found = [
        row
        for row in rows_of(*names)
        if (row.task, row.cell, row.strategy) == (case.task, case.cell, strategy)
    ]
    assert found, f"no row of {case.task} by {strategy} in {names}"
    return found


def _value(case: Case, rows: Iterable[Row]) -> float | None:
    values = [row.accuracy if case.accurate else row.nats for row in rows]
    return statistics.fmean(v for v in values if v is not None)


def _mean(case: Case, rows: Sequence[Row]) -> str:
    value = _value(case, rows)
    assert value is not None
    return f"{value:.1%}" if case.accurate else f"{value:.3f}"


def _first_short_rows(case: Case) -> list[Row]:
    if case.first_short is None or not rows_of(case.first_short):
        return []
    strategy = "bptt" if case.first_short == "prefix" else "bptt-curriculum"
    return _rows(case, (case.first_short,), strategy)


def _first_short_value(case: Case) -> float | None:
    rows = _first_short_rows(case)
    return _value(case, rows) if rows else None


def _first_short(case: Case, beside: Sequence[Row]) -> str:
    """With its own seconds and seeds, where they are others than those of the rows beside it."""
    rows = _first_short_rows(case)
    if not rows:
        return NONE
    other = []
    if beside and abs(_seconds(rows) - _seconds(beside)) > 1:
        other.append(f"{_seconds(rows)} s")
    if beside and len(rows) != len(beside):
        other.append(f"{len(rows)} seed" + "s" * (len(rows) > 1))
    return _mean(case, rows) + (f" ({', '.join(other)})" if other else "")


SPEED = (
    ("target memories per second, against the paper's schedule, K = 1, 4, 16",
     "bench.json", "labels", ("K = 1", "K = 4", "K = 16")),
    ("transitions per second, whole optimiser step; MLP, Transformer cell",
     "bench.json", "step", ("mlp cell", "transformer cell")),
    ("on-policy transitions per second, against the paper's DMT; GRU",
     "bench.json", "dmt", ("gru cell, transitions with a target",)),
    ("an SMT step against a BPTT step, per token; MLP cell, T = 256, 1,024, 4,096",
     "bench-again.json", "bptt", tuple(f"mlp cell, T = {n}" for n in (256, 1024, 4096))),
    ("the same, Transformer cell",
     "bench-again.json", "bptt", tuple(f"transformer cell, T = {n}" for n in (256, 1024, 4096))),
    ("the same, Elman cell",
     "bench-again.json", "bptt", tuple(f"elman cell, T = {n}" for n in (256, 1024, 4096))),
    ("the same, a GRU against the fused `nn.GRU`, T = 256, 1,024",
     "bench-again.json", "bptt", tuple(f"nn.GRU, gru cell, T = {n}" for n in (256, 1024))),
    ("memory of a step at T = 4,096, against BPTT; Transformer, MLP, Elman cell",
     "bench.json", "memory", tuple(f"{c} cell, T = 4096" for c in ("transformer", "mlp", "elman"))),
    ("a streamed token, against a KV cache of 1,024, 4,096, 16,384",
     "bench.json", "kv-cache", tuple(f"context {n}" for n in (1024, 4096, 16384))),
    ("seconds to 2.4 nats on Shakespeare, to 1.5 on copy T = 64, against the paper's schedule",
     "bench-long.json", "time-to-loss", ("Shakespeare, bytes", "copy, T = 64")),
)  # fmt: skip
"""What is said of speed: text, file, benchmark and its cases."""


def speed_table() -> list[str]:
    """Markdown of the table of speed; figures that miss their target are bold."""
    lines = ["| what | times as good | target |", "|---|---|---|"]
    for what, file, name, cases in SPEED:
        rows = {row["case"]: row for row in json.loads((RESULTS / file).read_text())["rows"]
                if row["name"] == name}  # fmt: skip
        shown = [_ratio(rows[case]) for case in cases]
        targets = dict.fromkeys(f"{rows[case]['target']:g}" for case in cases)
        lines.append(f"| {what} | {', '.join(shown)} | {', '.join(targets)} |")
    return lines


def _ratio(row: dict[str, Any]) -> str:
    text = f"{row['ratio']:.{0 if row['ratio'] >= 10 else 1}f}"
    return text if row["met"] else f"**{text}**"


def blocks() -> dict[str, list[str]]:
    """The generated parts of README.md, by the name in their markers."""
    return {"results": results_table(), "reading": reading(), "speed": speed_table()}


def with_blocks(text: str) -> str:
    """README's text with its generated parts made anew."""
    for name, lines in blocks().items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        made = begin + "\n".join(lines) + "\n" + end
        assert re.search(pattern, text, re.S), f"README.md has no part '{name}'"
        text = re.sub(pattern, lambda _, made=made: made, text, flags=re.S)
    return text


def write_readme() -> None:
    """Make the generated parts anew."""
    README.write_text(with_blocks(README.read_text()))
