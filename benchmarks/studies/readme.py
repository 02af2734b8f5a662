"""README.md's table of results and what it says, written between markers and held by a test.

python -m benchmarks.studies page      writes them, with docs/results.md
"""

import re
from collections.abc import Iterable
from textwrap import wrap

from benchmarks.paths import ROOT
from benchmarks.studies.summary import AHEAD, BEHIND, Line, cells, summary

README = ROOT / "README.md"
_HEAD = "task", "T", "seconds", "best opponent", "SMT then DMT", "verdict"


def results_table() -> list[str]:
    """Markdown of the table, means alone; rows of which nothing is said are named below it."""
    said = [line for line in longest() if not line.verdict().startswith("open")]
    return [cells(_HEAD), cells("---" for _ in _HEAD), *map(_line, said)]


def longest() -> list[Line]:
    """Of each task at each T the line of its longest budget."""
    lines = summary()
    most = {(line.task, line.T): line for line in sorted(lines, key=lambda one: one.seconds)}
    return [line for line in lines if most[line.task, line.T] is line]


def _line(line: Line) -> str:
    return cells([
        line.task, str(line.T), f"{line.seconds:.0f}", line.opponent.short(), line.smt.short(),
        line.verdict(),
    ])  # fmt: skip


def reading() -> list[str]:
    """What the table says, in sentences."""
    lines = longest()
    ahead = [line for line in lines if line.verdict() == AHEAD]
    behind = [line for line in lines if line.verdict().startswith(BEHIND)]
    other = [line for line in lines if line not in ahead + behind]
    said = (
        f"*Ahead* on {len(ahead)}: {_names(ahead)}. *Behind* on {len(behind)}: {_names(behind)}. "
        f"*Neither is said* of {len(other)}: {_names(other)}."
    )
    return wrap(said, 100, break_on_hyphens=False)


def _names(lines: Iterable[Line]) -> str:
    return "; ".join(f"{one.task} (T = {one.T})" for one in lines) or "none"


def blocks() -> dict[str, list[str]]:
    """The generated parts of README.md, by the name in their markers."""
    return {"results": results_table(), "reading": reading()}


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
