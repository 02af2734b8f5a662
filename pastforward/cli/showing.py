"""L7. Results on the console."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from pastforward.analysis.samples import ImageSamples
from pastforward.report.charts import save_images
from pastforward.report.tables import results_table
from pastforward.runs.opening import Run


def show(runs: Sequence[Run]) -> None:
    """The table, then samples of each: text as it is, images as the path of a picture."""
    out = Console()
    out.print(results_table([replace(run.summary, name=run.name) for run in runs]))
    for run in runs:
        samples = run.summary.samples
        if isinstance(samples, ImageSamples):
            path = run.path / "samples.png"
            save_images(path, samples)
            say(f"Samples of {run.name}: {path}")
        elif samples is not None:
            out.rule(f"{run.name} writes", align="left")
            say(samples)
            say("")


def say(text: str) -> None:
    """Print as it is: no markup, no colours, no line breaks."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
