"""L6. `pastforward report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pastforward.cli.parsing import parse

if TYPE_CHECKING:
    from pastforward.training.folder import RunFolder

DESCRIPTION = """\
Write one page about one or more runs: table, learning curves, drift, loss by position, samples.

Examples:
  pastforward report digits                          a comparison, as far as it is
  pastforward report notes-smt+dmt notes-bptt --out notes.html
"""


@dataclass(frozen=True)
class ReportOptions:
    """Options of `report`."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Names or paths of runs or comparisons."""
    out: Path | None = None
    """Where to write; in the folder of the run or comparison, or runs/report.html for several."""


def main(argv: list[str]) -> None:
    """Write the page."""
    options = parse(ReportOptions, argv, "pastforward report", DESCRIPTION)

    from pastforward.errors import UsageError
    from pastforward.report.run_page import write_report
    from pastforward.runs.opening import find_runs, load_summary

    grid = _grid(options.runs)
    if grid is not None:
        from pastforward.runs.comparison.show import write_grid

        print(f"Report: {write_grid(grid, options.out)}")
        return
    if not options.runs:
        raise UsageError("No run was named; name one or more, as `pastforward list` shows them.")
    folders = list(dict.fromkeys(run for name in options.runs for run in find_runs(name)))
    names = _names(folders)
    summaries = [load_summary(run, name) for run, name in zip(folders, names, strict=True)]
    print(f"Report: {write_report(summaries, options.out or _usual_place(options, folders))}")


def _grid(names: tuple[str, ...]) -> Path | None:
    """The folder of the one comparison that was named, if it was."""
    from pastforward.cli.options import RUNS
    from pastforward.runs.comparison.record import holds_grid

    places = [path for name in names for path in (RUNS / name, Path(name)) if holds_grid(path)]
    return places[0] if len(names) == 1 and places else None


def _names(folders: "list[RunFolder]") -> list[str]:
    """The folders' own names, or their paths where two are alike."""
    own = [folder.path.name for folder in folders]
    return own if len(set(own)) == len(own) else [str(folder.path) for folder in folders]


def _usual_place(options: ReportOptions, folders: "list[RunFolder]") -> Path:
    from pastforward.cli.options import RUNS

    if len(folders) == 1:
        return folders[0].report
    if len(options.runs) == 1:
        return folders[0].path.parent / "report.html"
    return RUNS / "report.html"
