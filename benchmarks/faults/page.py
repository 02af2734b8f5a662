"""docs/reliability.md: its text is docs/reliability.in.md, its figures are those of the rows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.faults.rows import ROWS
from benchmarks.faults.stream import GAP, WORSE
from benchmarks.paths import DOCS
from benchmarks.studies.files import read_lines

Row = dict[str, Any]
NAMES = {
    "kills": "commands killed by SIGKILL at a random moment",
    "killed ranks": "runs of two processes, of which torchrun's were killed twice",
    "fuzz files": "damaged and hostile files",
    "fuzz options": "lists of random options",
    "stream": "checks of a long stream",
}
"""What a row tried, in the order of the page."""


def page() -> int:
    """Write docs/reliability.md from its rows."""
    path = DOCS / "reliability.md"
    path.write_text(filled((DOCS / "reliability.in.md").read_text()))
    print(f"Page: {path}")
    return 0


def filled(text: str, rows: Path = ROWS) -> str:
    """The text with tables in place of what it names in braces, from the last row of each kind."""
    found = {row["what"]: row for row in read_lines(rows)}
    shown = [found[what] for what in NAMES if what in found]
    fill = {"figures": _figures(shown), "kinds": _kinds(shown), "stream": _stream(found["stream"])}
    for place, lines in fill.items():
        text = text.replace(f"{{{place}}}", "\n".join(lines))
    return text


def _figures(rows: Iterable[Row]) -> Iterable[str]:
    yield "| what | tried | failed | command | commit, date |"
    yield "|---|---|---|---|---|"
    for row in rows:
        failed = f"**{row['failed']}**" if row["failed"] else "0"
        dirty = "" if row["clean"] else " and changes"
        yield (
            f"| {NAMES[row['what']]} | {row['tried']:,} | {failed} | `{row['command']}` "
            f"| {row['commit'][:7]}{dirty}, {row['date']} |"
        )
    yield ""
    yield f"All on {' and '.join(dict.fromkeys(_machine(row) for row in rows))}."


def _machine(row: Row) -> str:
    return f"{row['hardware']}, {row['threads']} thread(s), torch {row['torch']}"


def _kinds(rows: Iterable[Row]) -> Iterable[str]:
    for row in rows:
        if row["what"] != "stream":
            kinds = ", ".join(f"{name} {n['tried']:,}" for name, n in row["by_kind"].items())
            yield f"- {row['what']}: {kinds}. Ends: {_ends(row)}."


def _ends(row: Row) -> str:
    """How often which exit code, over all kinds."""
    ends: dict[str, int] = {}
    for count in row["by_kind"].values():
        for end, times in count["ends"].items():
            ends[end] = ends.get(end, 0) + times
    named = {end: f"exit code {end}" if end.lstrip("-").isdigit() else end for end in ends}
    return ", ".join(f"{named[end]} {times:,} times" for end, times in sorted(ends.items()))


def _stream(row: Row) -> Iterable[str]:
    cost = ", ".join(f"{name} {us:g}" for name, us in row["cpu_us_a_step"].items())
    yield (
        f"{row['steps']:,} steps of a {row['cell']} student, in calls of 1 to 64: the process grew "
        f"by {row['growth_mib']:g} MiB after its first tenth. After each call, begun from the same "
        "memory, memories and output parameters of the compiled and the eager stream were at most "
        f"{row['gap']:.1e} apart (a check fails above {GAP:g}, unless the eager stream is as far "
        f"from float64, within a factor of {WORSE:g}). Microseconds of a processor a step: {cost}."
    )
