"""L7. `pastforward backtest`."""

from dataclasses import dataclass

from pastforward.cli.options import RunOptions, print_json
from pastforward.cli.parsing import parse

DESCRIPTION = """\
Forecast the test rows of a run on series from rolling origins: MAE, MSE, MASE, CRPS and how often
values lie within the central 80%, beside the last value, the last season and a linear map (ridge
on the window).

Examples:
  pastforward backtest load-smt+dmt --horizon 96
  pastforward backtest load-smt+dmt --horizon 24 --stride 1 --json | jq .scores.student.mase
"""


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `backtest`."""

    horizon: int | None = None
    """Rows ahead; two of the shortest seasons when not given."""
    stride: int | None = None
    """Rows from one origin to the next; an eighth of the horizon when not given."""
    paths: int = 100
    """Paths that are drawn from each origin."""
    seed: int = 0
    """The same seed draws the same."""
    json: bool = False
    """Print all figures as one JSON object."""


def main(argv: list[str]) -> None:
    """Backtest a run; figures are written to its backtest.json."""
    options = parse(Options, argv, "backtest", DESCRIPTION)

    from rich.console import Console

    from pastforward.report.backtest_table import backtest_table
    from pastforward.runs.forecasting import ForecastRequest, backtest_path, run_backtest
    from pastforward.runs.opening import open_run

    run = open_run(options.run, *options.how)
    asked = ForecastRequest(options.horizon, paths=options.paths, seed=options.seed)
    found = run_backtest(run, asked, options.stride)
    last = f"Figures: {backtest_path(run)}"
    if options.json:
        print_json(found.to_json(), last)
    else:
        Console().print(backtest_table(found))
        print(last)
