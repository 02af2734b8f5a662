"""L7. `pastforward report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pastforward.cli.options import OpeningOptions
from pastforward.cli.parsing import parse

DESCRIPTION = """\
Write one page about one or more runs: table, learning curves, drift, loss by position, samples.

Examples:
  pastforward report digits                          a comparison, as far as it is
  pastforward report notes-smt+dmt notes-bptt --out notes.html
  pastforward report notes-smt+dmt notes-bptt --csv losses.csv
"""


@dataclass(frozen=True)
class Options(OpeningOptions):
    """Options of `report`."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Names or paths of runs or comparisons."""
    out: Path | None = None
    """Where to write; in the folder of the run or comparison, or runs/report.html for several."""
    csv: Path | None = None
    """Write the losses of training there instead, a row for each step that was logged."""


def main(argv: list[str]) -> None:
    """Write the page, or the table."""
    options = parse(Options, argv, "report", DESCRIPTION)

    from pastforward.runs.reporting import metrics_csv, report

    if options.csv is not None:
        print(f"Metrics: {metrics_csv(options.runs, options.csv)}")
        return
    print(f"Report: {report(options.runs, options.out, *options.how)}")
