"""L6. `pastforward bench`."""

import datetime
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from benchmarks.speed import BENCHES, LONG, Bench
from pastforward.cli.parsing import parse

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.speed.measuring import Row

DESCRIPTION = """\
Measure each fast path beside its rivals, in one run, and say which targets are met.

Names: {names}.
All but {long} take a minute or two each and run when none is named; what has to be
compiled is compiled at the first run on a machine and kept.

Examples:
  pastforward bench
  pastforward bench stream kv-cache --json figures.json
  pastforward bench time-to-loss:text --threads 1
""".format(names=", ".join(BENCHES), long=" and ".join(LONG))


@dataclass(frozen=True)
class BenchOptions:
    """Options of `bench`."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ()
    """Benchmarks to run."""
    json: Path | None = None
    """Also write the rows and the hardware to this file."""
    threads: int | None = None
    """Threads of each process; as many as there are cores when not given."""


def main(argv: list[str]) -> None:
    """Run benchmarks, print a table, write rows."""
    options = parse(BenchOptions, argv, "pastforward bench", DESCRIPTION)
    names = options.names or tuple(name for name in BENCHES if name not in LONG)
    _require_usable(names, options)

    import torch
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    rows: list[Row] = []
    # Where nobody looks (a file, a pipe) there is no width to keep to.
    out, stderr = Console(width=None if sys.stdout.isatty() else 132), Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=stderr, transient=True) as bar:
        task = bar.add_task("", total=len(names))
        for name in names:
            bench = BENCHES[name.partition(":")[0]]
            bar.update(task, description=f"{name}: {bench.question}")
            found = list(_run(bench, name.partition(":")[2]))
            rows += found
            _write(options.json, rows)  # whatever ends the next one, these are kept
            _show(out, name, found)
            bar.advance(task)
    met = [row.met for row in rows if row.met is not None]
    where = f". Figures: {options.json}" if options.json else "; keep the figures: --json FILE"
    print(f"{sum(met)} of {len(met)} targets met{where}")


def _write(path: Path | None, rows: "list[Row]") -> None:
    from pastforward.files import write_json

    if path is not None:
        write_json(path, {"hardware": _hardware(), "rows": [row.to_json() for row in rows]})


def _run(bench: Bench, case: str) -> "Iterator[Row]":
    run = importlib.import_module(f"benchmarks.speed.{bench.module}").run
    return run(case) if case else run()


def _require_usable(names: tuple[str, ...], options: BenchOptions) -> None:
    """Refuse what would only fail after minutes."""
    from pastforward.errors import UsageError, nearest

    for word in names:
        name, _, case = word.partition(":")
        if name not in BENCHES:
            raise UsageError(f"There is no benchmark '{name}'; {nearest(name, BENCHES)}.")
        if case and case not in BENCHES[name].cases:
            known = ", ".join(BENCHES[name].cases) or "none"
            raise UsageError(f"There is no case '{case}' of '{name}'; it has {known}.")
    if options.threads is not None and options.threads < 1:
        raise UsageError(f"--threads is {options.threads}; give 1 or more.")
    if options.json is not None and (options.json.is_dir() or not options.json.parent.is_dir()):
        raise UsageError(
            f"--json is '{options.json}', which can't be a file; give the path of one in a folder "
            "that is there."
        )


def _show(out: "Console", name: str, rows: "list[Row]") -> None:
    from rich.table import Table

    table = Table("case", "ours", "rival", "unit", "ratio", "spread", "target", "met", title=name)
    for row in rows:
        spread = f"{row.spread[0]:.3g} - {row.spread[1]:.3g}"
        target = "-" if row.target is None else f"{row.sense} {row.target:.3g}"
        met = {True: "yes", False: "no", None: ""}[row.met]
        table.add_row(
            row.case, f"{row.ours:.4g}", f"{row.rival:.4g}", row.unit, f"{row.ratio:.3g}", spread,
            target, met,
        )  # fmt: skip
    out.print(table)
    for row in rows:
        if row.bound:
            out.print(f"  {row.case}: {row.bound}", highlight=False, soft_wrap=True)


def _hardware() -> dict[str, object]:
    import torch

    from pastforward.hardware import processor

    return {
        "machine": processor(), "threads": torch.get_num_threads(), "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }  # fmt: skip
