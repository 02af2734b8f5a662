"""L4. What a finished run shows, as text and pixels, for trackers: samples and answers."""

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pastforward.analysis.forecasts.samples import SeriesSamples
from pastforward.analysis.metrics import METRICS, figure
from pastforward.analysis.samples import ImageSamples
from pastforward.report.charts import image_rows
from pastforward.report.colours import colour_of
from pastforward.report.forecast_charts import fans
from pastforward.report.label_page import answers_chart
from pastforward.report.summary import RunSummary

Pixels = UInt8[np.ndarray, "height width rgb=3"]
_DPI = 110


def figures_of(run: RunSummary) -> dict[str, float]:
    """The metrics that the student's score has, on test data, by name: 'test/loss', ..."""
    found = {name: figure(name, run.evaluation["student"]) for name in METRICS}
    return {f"test/{name}": value for name, value in found.items() if value is not None}


def texts_of(run: RunSummary) -> dict[str, str]:
    """Text that the student wrote, or symbols given, expected and predicted."""
    return {"samples": run.samples} if isinstance(run.samples, str) else {}


def pictures_of(run: RunSummary) -> dict[str, Pixels]:
    """Images drawn, a fan for each series, and answers of labels against the truth."""
    found, samples = {}, run.samples
    answers = answers_chart(run, colour_of(0))
    if answers is not None:
        found[answers.title.lower().replace(" ", "_")] = _drawn(answers.figure)
    if isinstance(samples, ImageSamples):
        found["samples"] = _on_white(image_rows(samples))
    elif isinstance(samples, SeriesSamples):
        for number, chart in enumerate(fans(samples)):
            found[f"forecast/{number}"] = _drawn(chart)
    return found


def _drawn(chart: Figure) -> Pixels:
    chart.set_dpi(_DPI)
    canvas = FigureCanvasAgg(chart)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _on_white(rgba: np.ndarray) -> Pixels:
    """RGBA `[h, w, 4]` in [0, 1]."""
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    return np.round(255 * np.clip(colour * alpha + 1.0 - alpha, 0.0, 1.0)).astype(np.uint8)
