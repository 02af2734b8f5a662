"""Tables of comparisons, in Markdown."""

import math
from collections.abc import Iterable, Sequence

from benchmarks.studies.files import rows_of
from pastforward.runs.comparison.results import Line, Spread, aggregate

PAIR = "bptt", "smt+dmt"
LEVEL = 0.01
"""Nats by which two strategies must differ before one is called the better."""
NOT_LEARNED = 0.3
"""Share of the unigram's loss above which a teacher has not learned the task."""


def table(lines: Iterable[Line], bits: bool = False) -> Iterable[str]:
    """A row for each setting; the reference is the loss of the best possible predictor."""
    yield (
        f"| task | network | trained by | nats {'| bits ' if bits else ''}| right | teacher nats "
        "| reference | weights | M positions | serial cell calls | n |"
    )
    yield "|---" * (12 if bits else 11) + "|"
    for line in lines:
        one = line.setting
        reference = line.references.get("best", line.references.get("unigram"))
        in_bits = f"| {line.nats.mean / math.log(2):.3f} " if bits and line.nats else ""
        yield (
            f"| {one.task} | {one.cell} | {one.strategy} | {figures(line.nats, 3)} {in_bits}"
            f"| {percents(line.accuracy)} | {figures(line.teacher, 3)} "
            f"| {'-' if reference is None else f'{reference:.3f}'} | {line.parameters or 0:,} "
            f"| {mean(line.tokens, 1e6):.1f} | {mean(line.calls, 1.0):,.0f} | {count(line)} |"
        )


def table_with_bits(lines: Iterable[Line]) -> Iterable[str]:
    """The same, with losses in bits as well."""
    return table(lines, bits=True)


def side_by_side(lines: Sequence[Line]) -> Iterable[str]:
    """A row for each task, T and cell, BPTT beside SMT then DMT; the better of the two is bold."""
    yield "| task | T | cell | BPTT right | nats | SMT then DMT right | nats | its teacher's nats |"
    yield "|---" * 8 + "|"
    found = by_setting(lines)
    for task, cell in sorted({asked[:2] for asked in found}, key=order):
        pair = [found.get((task, cell, strategy)) for strategy in PAIR]
        right = ["-" if line is None else percents(line.accuracy) for line in pair]
        nats = ["-" if line is None else figures(line.nats, 3) for line in pair]
        emphasise(right, pair)
        teacher = figures(pair[1].teacher, 3) if pair[1] else "-"
        family, length, _ = order((task, cell))
        shown = (right[0], nats[0], right[1], nats[1], teacher)
        yield f"| {' | '.join([family, str(length), cell, *shown])} |"


def by_cell(lines: Sequence[Line]) -> Iterable[str]:
    """A row for each task and T, BPTT and SMT then DMT for each cell; the better is bold."""
    cells = sorted({line.setting.cell for line in lines})
    yield "| task | T |" + "".join(f" {cell}: BPTT | SMT then DMT |" for cell in cells)
    yield "|---" * (2 + 2 * len(cells)) + "|"
    found = by_setting(lines)
    for task in sorted({line.setting.task for line in lines}, key=lambda name: order((name, ""))):
        shown = []
        for cell in cells:
            pair = [found.get((task, cell, strategy)) for strategy in PAIR]
            right = ["-" if line is None else percents(line.accuracy) for line in pair]
            emphasise(right, pair)
            right[1] += "" if teacher_has_learned(pair[1]) else " †"
            shown += right
        yield f"| {' | '.join([*map(str, order((task, ''))[:2]), *shown])} |"


def by_memory(names: Iterable[str]) -> Iterable[str]:
    """Loss and symbols right for each size of memory, strategy and budget in seconds."""
    found = {}
    for name in names:
        width, seconds = map(int, name.split("-")[1:])
        for line in aggregate(rows_of(name)):
            found[8 * width, line.setting.strategy, seconds] = line
    budgets = sorted({seconds for _, _, seconds in found})
    yield "| numbers | trained by | " + " | ".join(f"{s} s: right | nats" for s in budgets) + " |"
    yield "|---" * (2 + 2 * len(budgets)) + "|"
    for size, strategy in sorted({(size, strategy) for size, strategy, _ in found}):
        lines = [found.get((size, strategy, seconds)) for seconds in budgets]
        shown = [f"{percents(line.accuracy)} | {figures(line.nats, 3)}" if line else "- | -"
                 for line in lines]  # fmt: skip
        yield f"| {size} | {strategy} | {' | '.join(shown)} |"


def by_setting(lines: Iterable[Line]) -> dict[tuple[str, str, str], Line]:
    """Lines by task, cell and strategy."""
    return {(line.setting.task, line.setting.cell, line.setting.strategy): line for line in lines}


def emphasise(shown: list[str], pair: Sequence[Line | None]) -> None:
    """Make the one with the lower loss bold, where the difference is above `LEVEL`."""
    first, second = (line.nats.mean if line and line.nats else math.inf for line in pair)
    if LEVEL < abs(first - second) < math.inf:
        better = int(second < first)
        shown[better] = f"**{shown[better]}**"


def teacher_has_learned(line: Line | None) -> bool:
    """False where the teacher's loss is too near the unigram's."""
    if line is None or line.teacher is None:
        return True
    return line.teacher.mean <= NOT_LEARNED * line.references["unigram"]


def order(asked: tuple[str, str]) -> tuple[str, int, str]:
    """Family, T and cell of a task such as s5:32,elements=2 and a cell."""
    family, _, axes = asked[0].partition(":")
    return family, int(axes.partition(",")[0]), asked[1]


def figures(spread: Spread | None, digits: int) -> str:
    """Mean, and ± standard deviation where there are several seeds."""
    if spread is None:
        return "-"
    mean = f"{spread.mean:,.{digits}f}"
    return mean if spread.deviation is None else f"{mean} ± {spread.deviation:.{digits}f}"


def percents(spread: Spread | None) -> str:
    """The same in percent."""
    if spread is None:
        return "-"
    hundred = Spread(100 * spread.mean, spread.deviation and 100 * spread.deviation)
    return f"{figures(hundred, 1)}%"


def count(line: Line) -> str:
    """Seeds that are in the mean, of those that were planned."""
    whole = line.finished == line.planned
    return str(line.finished) if whole else f"{line.finished} of {line.planned}"


def mean(found: Spread | None, unit: float) -> float:
    return (found.mean if found else 0.0) / unit
