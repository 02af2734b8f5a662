"""Rows of what was tried, by kind, and how much of it failed."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.paths import RESULTS
from benchmarks.studies.files import append

ROWS = RESULTS / "reliability.jsonl"


@dataclass
class Count:
    """Of one kind."""

    tried: int = 0
    failed: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    """How often it ended in which way."""


class Tally:
    """What was tried, by kind."""

    def __init__(self) -> None:
        self.kinds: dict[str, Count] = {}
        self.faults: list[str] = []

    @property
    def tried(self) -> int:
        return sum(count.tried for count in self.kinds.values())

    def add(self, kind: str, end: object, fault: str = "", times: int = 1) -> None:
        """Count a trial; `fault` says what was wrong, '' where all was right."""
        count = self.kinds.setdefault(kind, Count())
        count.tried += times
        count.failed += bool(fault)
        count.ends[str(end)] = count.ends.get(str(end), 0) + times
        if fault:
            self.faults.append(f"{kind}: {fault}")
            print(f"failed: {kind}: {fault}", flush=True)

    def row(self, what: str) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "what": what, "tried": self.tried, "failed": len(self.faults),
            "by_kind": {kind: asdict(count) for kind, count in sorted(self.kinds.items())},
        }  # fmt: skip


def write(path: Path, words: list[str], row: dict[str, Any]) -> int:
    """Append the row and say where; the exit code: 1 where something failed."""
    append(path, shlex.join(["python", "-m", "benchmarks.faults", *words]), row)
    print(f"{row['failed']} of {row['tried']} failed. Rows: {path}")
    return 1 if row["failed"] else 0


@contextmanager
def bar(total: int, what: str) -> Iterator[Any]:
    """Called with how many are done; it starts no thread, which a fork would lose.

    Where there is no terminal, every tenth is a line.
    """
    from rich.progress import Progress

    from pastforward.watching import stderr_console

    console = stderr_console()
    with Progress(console=console, auto_refresh=False, disable=not console.is_terminal) as shown:
        task = shown.add_task(what, total=total)

        said = 0

        def done(count: int) -> None:
            nonlocal said
            shown.update(task, completed=count)
            shown.refresh()
            if not console.is_terminal and 10 * count // total > said:
                said = 10 * count // total
                print(f"{count} of {total} {what}", flush=True)

        yield done
