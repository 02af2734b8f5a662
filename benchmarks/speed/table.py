"""The table of a benchmark for the console."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.speed.measuring import Row

HEAD = ("case", "ours", "rival", "unit", "ratio", "spread", "target", "met")
MET = {True: "yes", False: "no", None: ""}


def show(name: str, rows: Sequence[Row]) -> None:
    """Print rows, and below them what bounds each."""
    # A file or a pipe has no width of its own.
    out = Console(width=None if sys.stdout.isatty() else 132, markup=False, highlight=False)
    table = Table(*HEAD, title=name)
    for row in rows:
        table.add_row(*cells(row))
    out.print(table)
    for row in rows:
        if row.bound:
            out.print(f"  {row.case}: {row.bound}", soft_wrap=True)


def cells(row: Row) -> list[str]:
    """The texts of a row, one a column."""
    low, high = row.spread
    target = "-" if row.target is None else f"{row.sense} {row.target:.3g}"
    return [
        row.case, f"{row.ours:.4g}", f"{row.rival:.4g}", row.unit, f"{row.ratio:.3g}",
        f"{low:.3g} - {high:.3g}", target, MET[row.met],
    ]  # fmt: skip
