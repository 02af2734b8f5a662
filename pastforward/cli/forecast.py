"""L7. `pastforward forecast`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pastforward.cli.options import RunOptions
from pastforward.cli.parsing import parse

DESCRIPTION = """\
Forecast what follows the series that a run was trained on, or those of another FILE with the same
columns: a table (CSV) of quantiles, and a picture (PNG) of history and fan beside it.

Examples:
  pastforward forecast load-smt+dmt --horizon 96
  pastforward forecast load-smt+dmt newer.csv --quantiles .05 .25 .5 .75 .95 --out next-week.csv
"""


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `forecast`."""

    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = None
    """A table to forecast from; the run's own when not given."""
    horizon: int | None = None
    """Rows ahead; two of the shortest seasons when not given."""
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    """Levels between 0 and 1 that are written, rising."""
    paths: int = 200
    """Paths that are drawn; quantiles are theirs."""
    seed: int = 0
    """The same seed draws the same."""
    out: Path | None = None
    """Where the table goes; RUN/forecast.csv when not given."""


def main(argv: list[str]) -> None:
    """Forecast, show a line for each series, write."""
    options = parse(Options, argv, "forecast", DESCRIPTION)

    from pastforward.cli.showing import say
    from pastforward.report.sparkline import future_lines
    from pastforward.runs.forecasting import ForecastRequest, forecast

    asked = ForecastRequest(options.horizon, options.quantiles, options.paths, options.seed)
    found = forecast(options.run, asked, options.file, options.out, options.how)
    say(*future_lines(found.futures), f"Picture: {found.picture}", f"Forecast: {found.table}")
