"""`python -m benchmarks.speed`: run benchmarks, print tables, write rows."""

import importlib
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from benchmarks.speed import BENCHES, LONG, Bench
from pastforward.cli.parsing import parse
from pastforward.errors import UsageError, nearest

if TYPE_CHECKING:
    from rich.progress import Progress

    from benchmarks.speed.measuring import Row

PROGRAM = "python -m benchmarks.speed"
DESCRIPTION = """\
Measure each fast path beside its rivals, in one run, and say which targets are met.

{benches}

All but {long} take a minute or two each and run when none is named. Code that has to be
compiled is compiled in the first run on a machine and kept for later ones.

Examples:
  python -m benchmarks.speed
  python -m benchmarks.speed stream kv-cache --json figures.json
  python -m benchmarks.speed time-to-loss:text --threads 1
""".format(
    benches="\n".join(f"  {name:<14}{bench.question}" for name, bench in BENCHES.items()),
    long=", ".join(LONG),
)


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    cases: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CASE")] = ()
    """Benchmarks to run, each as NAME or NAME:CASE."""
    json: Path | None = None
    """Also write the rows to this file, each with the command, commit, machine and date."""
    threads: int | None = None
    """Threads of each process; as many as there are cores when not given."""


def main(argv: list[str]) -> int:
    """The exit code: 2 for bad input, 1 where the two sides of a benchmark disagree."""
    try:
        options = parse(Options, argv, PROGRAM, DESCRIPTION)
        require_usable(options)
        measure(options, shlex.join([*PROGRAM.split(), *argv]))
    except UsageError as error:
        return _fail(error, 2)
    except RuntimeError as error:
        from benchmarks.speed.measuring import BenchError

        if not isinstance(error, BenchError):
            raise
        return _fail(error, 1)
    return 0


def require_usable(options: Options) -> None:
    """Raise `UsageError` for what would otherwise fail after minutes."""
    for word in options.cases:
        name, _, case = word.partition(":")
        if name not in BENCHES:
            raise UsageError(f"There is no benchmark '{name}'; {nearest(name, BENCHES)}.")
        if case and case not in BENCHES[name].cases:
            known = ", ".join(BENCHES[name].cases) or "none"
            raise UsageError(f"There is no case '{case}' of '{name}'; it has {known}.")
    if options.threads is not None and options.threads < 1:
        raise UsageError(f"--threads is {options.threads}; give 1 or more.")
    path = options.json
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise UsageError(
            f"--json is '{path}', which can't be a file; give the path of one in a folder that "
            "exists."
        )


def measure(options: Options, command: str) -> None:
    """Run the benchmarks, print a table of each, and write all rows after each."""
    import torch

    from benchmarks.speed.table import show
    from pastforward.files import write_json
    from pastforward.provenance import provenance

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    facts = {"command": command} | provenance()
    rows: list[Row] = []
    cases = options.cases or tuple(name for name in BENCHES if name not in LONG)
    with _progress() as bar:
        task = bar.add_task("", total=len(cases))
        for name in cases:
            bench = BENCHES[name.partition(":")[0]]
            bar.update(task, description=f"{name}: {bench.question}")
            found = list(_run(bench, name.partition(":")[2]))
            rows += found
            if options.json is not None:  # rows are kept even if the next benchmark fails
                write_json(options.json, {"rows": [row.to_json() | facts for row in rows]})
            show(name, found)
            bar.advance(task)
    met = [row.met for row in rows if row.met is not None]
    where = f". Figures: {options.json}" if options.json else "; keep the figures: --json FILE"
    print(f"{sum(met)} of {len(met)} targets met{where}")


def _run(bench: Bench, case: str) -> "Iterator[Row]":
    run = importlib.import_module(f"benchmarks.speed.{bench.module}").run
    return run(case) if case else run()


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = (*Progress.get_default_columns()[:2], TextColumn("{task.completed}/{task.total}"))
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)


def _fail(error: Exception, code: int) -> int:
    print(f"{PROGRAM}: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
