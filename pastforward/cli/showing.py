"""L7. Results on the console."""

import os
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from pastforward.analysis.forecasts.samples import SeriesSamples
from pastforward.analysis.samples import ImageSamples
from pastforward.report.labels import label_tables
from pastforward.report.sparkline import future_lines
from pastforward.report.summary import RunSummary
from pastforward.report.tables import results_table
from pastforward.runs.opening import Run

_LOG = 120
"""Columns of tables in files and pipes, which have no width of their own."""


def show(runs: Sequence[Run]) -> None:
    """The tables, then samples of each: text as it is, images as the path of a picture."""
    table([run.summary for run in runs])
    for run in runs:
        samples = run.summary.samples
        if isinstance(samples, ImageSamples):
            from pastforward.report.charts import save_images

            path = run.path / "samples.png"
            save_images(path, samples)
            say(f"Samples of {run.name}: {path}")
        elif isinstance(samples, SeriesSamples):
            Console().rule(Text(f"{run.name} forecasts its test rows"), align="left")
            say(*future_lines(samples.futures))
        elif isinstance(samples, str):
            Console().rule(Text(f"{run.name} writes"), align="left")
            say(samples, "")


def table(runs: Sequence[RunSummary]) -> None:
    """Losses of runs, their teachers and references; metrics of labels, by class for one run."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _LOG  # 80 there, at which long names would take several lines
    for shown in (results_table(runs), *label_tables(runs)):
        console.print(shown)


def flow(text: str) -> None:
    """Print some of a text at once, as it is."""
    print(text, end="", flush=True)


def say(*lines: str) -> None:
    """Print as it is: no markup, no colours, no line breaks."""
    for line in lines:
        Console().print(line, markup=False, highlight=False, soft_wrap=True)
