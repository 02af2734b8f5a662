"""docs/results.md: docs/results.in.md with the tables of benchmarks/results/ filled in.

Written by `python benchmarks/evidence.py page`; how each table was made stands below it.
"""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from evidence_parts import BITS, DOCS, FRONTIER, PARTS, WITH_MLP, WITH_OTHERS, read

from pastforward.runs.comparison.results import Line, Row, Spread, aggregate
from pastforward.runs.comparison.table import count, figures, percents

LEVEL = 0.01
"""Nats by which two ways must differ before one is called the better."""
NOT_LEARNED = 0.3
"""Share of the unigram's loss above which a teacher has not learned the task."""


def table(lines: Iterable[Line], bits: bool = False) -> Iterable[str]:
    """Losing settings like winning ones; the floor is the loss of the best possible predictor."""
    yield (
        f"| task | network | trained by | nats {'| bits ' if bits else ''}| right | teacher nats "
        "| floor | weights | M positions | serial cell calls | n |"
    )
    yield "|---" * (12 if bits else 11) + "|"
    for line in lines:
        one = line.setting
        reference = line.references.get("best", line.references.get("unigram"))
        told = f"| {line.nats.mean / math.log(2):.3f} " if bits and line.nats else ""
        yield (
            f"| {one.task} | {one.cell} | {one.strategy} | {figures(line.nats, 3)} {told}"
            f"| {percents(line.accuracy)} | {figures(line.teacher, 3)} "
            f"| {'-' if floor is None else f'{reference:.3f}'} | {line.parameters or 0:,} "
            f"| {mean(line.tokens, 1e6):.1f} | {mean(line.calls, 1.0):,.0f} | {count(line)} |"
        )


def mean(found: Spread | None, unit: float) -> float:
    return (found.mean if found else 0.0) / unit


def side_by_side(lines: Sequence[Line]) -> Iterable[str]:
    """A row for each task, T and cell, BPTT beside SMT then DMT; the better of the two is bold."""
    yield "| task | T | cell | BPTT right | nats | SMT then DMT right | nats | its teacher's nats |"
    yield "|---" * 8 + "|"
    by_way = {(line.setting.task, line.setting.cell, line.setting.strategy): line for line in lines}
    for task, cell in sorted({asked[:2] for asked in by_way}, key=order):
        pair = [by_way.get((task, cell, strategy)) for strategy in ("bptt", "smt+dmt")]
        shown = [["-", "-"] if line is None else [percents(line.accuracy), figures(line.nats, 3)]
                 for line in pair]  # fmt: skip
        better = better_of(pair)
        if better is not None:
            shown[better][0] = f"**{shown[better][0]}**"
        teacher = figures(pair[1].teacher, 3) if pair[1] else "-"
        family, length, _ = order((task, cell))
        yield f"| {' | '.join([family, str(length), cell, *shown[0], *shown[1], teacher])} |"


def by_cell(lines: Sequence[Line]) -> Iterable[str]:
    """A row for each task and T, BPTT and SMT then DMT for each cell; the better is bold."""
    cells = sorted({line.setting.cell for line in lines})
    yield "| task | T |" + "".join(f" {cell}: BPTT | SMT then DMT |" for cell in cells)
    yield "|---" * (2 + 2 * len(cells)) + "|"
    by_way = {(line.setting.task, line.setting.cell, line.setting.strategy): line for line in lines}
    for task in sorted({line.setting.task for line in lines}, key=lambda name: order((name, ""))):
        shown = []
        for cell in cells:
            pair = [by_way.get((task, cell, strategy)) for strategy in ("bptt", "smt+dmt")]
            right = ["-" if line is None else percents(line.accuracy) for line in pair]
            better = better_of(pair)
            if better is not None:
                right[better] = f"**{right[better]}**"
            if (
                pair[1]
                and pair[1].teacher
                and pair[1].teacher.mean > (NOT_LEARNED * pair[1].references["unigram"])
            ):
                right[1] += " †"
            shown += right
        yield f"| {' | '.join([*map(str, order((task, ''))[:2]), *shown])} |"


def better_of(pair: Sequence[Line | None]) -> int | None:
    """Which of two has the lower loss, if the difference says anything."""
    first, second = (line.nats.mean if line and line.nats else math.inf for line in pair)
    if LEVEL < abs(first - second) < math.inf:
        return int(second < first)
    return None


def order(asked: tuple[str, str]) -> tuple[str, int, str]:
    """Family, T and cell."""
    family, _, axes = asked[0].partition(":")
    return family, int(axes.partition(",")[0]), asked[1]


def by_memory(names: Iterable[str]) -> Iterable[str]:
    """Loss and symbols right for each size of memory, way and budget in seconds."""
    found = {}
    for name in names:
        width, seconds = map(int, name.split("-")[1:])
        for line in aggregate([Row(**row) for row in read(name)]):
            found[8 * width, line.setting.strategy, seconds] = line
    budgets = sorted({seconds for _, _, seconds in found})
    yield "| numbers | trained by | " + " | ".join(f"{s} s: right | nats" for s in budgets) + " |"
    yield "|---" * (2 + 2 * len(budgets)) + "|"
    for size, strategy in sorted({(size, strategy) for size, strategy, _ in found}):
        lines = [found.get((size, strategy, seconds)) for seconds in budgets]
        shown = [f"{percents(line.accuracy)} | {figures(line.nats, 3)}" if line else "- | -"
                 for line in lines]  # fmt: skip
        yield f"| {size} | {strategy} | {' | '.join(shown)} |"


def lengths_table(rows: list[dict[str, Any]]) -> Iterable[str]:
    """Symbols right at T, 2T, ... of runs that were trained at T, and of their teachers."""
    factors = (1, 2, 4, 8, 16)
    yield "| trained on | by | who | T | " + " | ".join(f"{n}T" for n in factors[1:]) + " |"
    yield "|---" * (3 + len(factors)) + "|"
    for row in rows:
        _, task, _, strategy, _ = row["run"].split("/")
        for who in ("student", "teacher"):
            if row["facts"][0][who] is None:
                continue
            right = [f"{at[who]['accuracy']:.1%}" for at in row["facts"]]
            right += ["-"] * (len(factors) - len(right))
            yield f"| {task} | {strategy} | {who} | {' | '.join(right)} |"


def states_table(rows: list[dict[str, Any]]) -> Iterable[str]:
    """How well a linear probe reads the task's true state from memories."""
    yield "| task | trained by | state | student | labels | untrained | most frequent |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        _, task, _, strategy, _ = row["run"].split("/")
        for state, probes in row["facts"].items():
            right = [f"{probes[who]['accuracy']:.1%}" if who in probes else "-"
                     for who in ("student", "labels", "untrained")]  # fmt: skip
            often = f"{probes['student']['majority']:.1%}"
            yield f"| {task} | {strategy} | {state} | {' | '.join(right)} | {often} |"


def gap_table(rows: list[dict[str, Any]]) -> Iterable[str]:
    """What a student loses against its teacher, and how much of it by what."""
    yield "| task | teacher nats | student nats | readout | one step | compounding | start |"
    yield "|---" * 7 + "|"
    for row in rows:
        facts = row["facts"]
        losses = [facts["teacher"]["nats"], facts["alone"]["nats"], *facts["parts"].values()]
        shown = " | ".join(f"{nats:.4f}" for nats in losses)
        yield f"| {row['run'].split('/')[1]} | {shown} |"


def credit_table(rows: list[dict[str, Any]]) -> Iterable[str]:
    """How much of the last output's loss reaches a memory, of networks on retrieval."""
    yield "| trained by | credit by | network | first t | middle | last | a step back |"
    yield "|---" * 7 + "|"
    shown = set()  # before training the networks of both ways are one
    for row in rows:
        _, task, _, strategy, _ = row["run"].split("/")
        for loss in ("BPTT", "SMT, all losses") if task.startswith("retrieval") else ():
            for name, found in row["facts"].get(loss, {}).items():
                if name != "trained" and (loss, name) in shown:
                    continue
                shown.add((loss, name))
                norms = " | ".join(f"{norm:.2g}" for norm in found["norms"])
                step = "-" if found["per_step"] is None else f"x {found['per_step']:.3f}"
                by = strategy if name == "trained" else "-"
                yield f"| {by} | {loss} | {name} | {norms} | {step} |"


def future_table(rows: list[dict[str, Any]]) -> Iterable[str]:
    """How well linear probes read outputs to come from memories."""
    farthest = (1, 2, 4, 8)
    yield "| task | trained by | memories | " + " | ".join(f"j = {j}" for j in farthest) + " |"
    yield "|---" * (3 + len(farthest)) + "|"
    for row in rows:
        _, task, _, strategy, _ = row["run"].split("/")
        for who in ("student", "labels", "untrained"):
            if who in row["facts"]:
                found = row["facts"][who]
                right = [f"{found[j - 1]['accuracy']:.1%}" if j <= len(found) else "-"
                         for j in farthest]  # fmt: skip
                yield f"| {task} | {strategy} | {who} | {' | '.join(right)} |"


def section(*names: str, drawn: Any = table) -> str:
    """The table of comparisons, how they were made and on what; or that they were not made."""
    missing = [name for name in names if not read(name)]
    if missing:
        return f"not run yet (`python benchmarks/evidence.py {' '.join(missing)}`)."
    lines = aggregate([Row(**row) for name in names for row in read(name)])
    return "\n".join([*drawn(lines), "", *(made(name) for name in names)])


def memory_loss_curve(names: Sequence[str]) -> str:
    """The table of `by_memory` and how it was made, in full."""
    if not all(read(name) for name in names):
        return f"not run yet (`python benchmarks/evidence.py {' '.join(names)}`)."
    return "\n".join([*by_memory(names), "", *(made(name) for name in names)])


def made(name: str) -> str:
    """By what command, with which seeds, on what and when."""
    rows = [Row(**row) for row in read(name)]
    done = [row for row in rows if row.seconds is not None]
    where = ", ".join(sorted({f"{row.hardware}, {row.date}" for row in done}))
    seeds = ", ".join(str(seed) for seed in sorted({row.seed for row in done}))
    file = f"benchmarks/results/evidence-{name}.json"
    return f"`{rows[0].command}`\n(seed(s) {seeds}; {where}; `{file}`)\n"


def analyses(question: str) -> str:
    """The table of a question asked of several runs."""
    rows = [row for row in read("analyses") if row["question"] == question]
    if not rows:
        return "not asked yet (`python benchmarks/evidence.py analyses`)."
    tables = {"gap": gap_table, "credit": credit_table, "lengths": lengths_table,
              "geometry": states_table, "future": future_table}  # fmt: skip
    drawn = tables[question](rows)
    where = ", ".join(sorted({f"{row['hardware']}, {row['date']}" for row in rows}))
    file = "benchmarks/results/evidence-analyses.json"
    seeds = ", ".join(sorted({row["run"].rpartition("seed")[2] for row in rows}))
    notes = f"`python benchmarks/evidence.py analyses` (seed(s) {seeds}; {where}; `{file}`)"
    return "\n".join([*drawn, "", notes])


def samples() -> str:
    """What students wrote."""
    rows = read("samples")
    if not rows:
        return "not drawn yet (`python benchmarks/evidence.py samples`)."
    quoted = [f"{row['run']}:\n\n```\n{row['text'].strip()}\n```" for row in rows]
    file = "benchmarks/results/evidence-samples.json"
    note = (
        f"`python benchmarks/evidence.py samples` (temperature {rows[0]['temperature']}; `{file}`)"
    )
    return "\n\n".join([*quoted, note])


def write_page(questions: Iterable[str]) -> None:
    """docs/results.md, with a table for each comparison and question that its text asks for."""
    text = (DOCS / "results.in.md").read_text()
    for name in PARTS:
        drawn = partial(table, bits=name in BITS)
        text = text.replace(f"{{{name}}}", section(name, drawn=drawn))
    text = text.replace("{side by side}", section(*WITH_MLP, drawn=side_by_side))
    text = text.replace("{other cells}", section(*WITH_OTHERS, drawn=by_cell))
    text = text.replace(
        "{fresh}", section("fresh-bptt", "fresh-short-bptt", "fresh-smt", drawn=side_by_side)
    )
    text = text.replace("{frontier}", memory_loss_curve(list(FRONTIER)))
    text = text.replace("{samples}", samples())
    for question in questions:
        text = text.replace(f"{{{question}}}", analyses(question))
    (DOCS / "results.md").write_text(text)
    print(f"Page: {DOCS / 'results.md'}")
