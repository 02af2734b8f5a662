"""L6. Results on the console."""

from collections.abc import Sequence

from rich.console import Console

from pastforward.analysis.samples import ImageSamples
from pastforward.report.charts import save_images
from pastforward.report.summary import RunSummary
from pastforward.report.tables import results_table
from pastforward.training.folder import RunFolder


def show(runs: Sequence[tuple[RunFolder, RunSummary]], out: Console) -> None:
    """The table, then what each student writes: text as it is, images as the path of a picture."""
    out.print(results_table([summary for _, summary in runs]))
    for folder, summary in runs:
        samples = summary.samples
        if isinstance(samples, ImageSamples):
            path = folder.path / "samples.png"
            save_images(path, samples)
            out.print(f"Samples of {summary.name}: {path}", highlight=False, soft_wrap=True)
        elif samples is not None:
            out.rule(f"{summary.name} writes", align="left")
            out.print(samples, markup=False, highlight=False, soft_wrap=True)
            out.print()
