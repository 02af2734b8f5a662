"""L4. Held-out figures of a student alone, and how they are shown."""

from pastforward.evaluation.collapse import Collapse, effective_rank
from pastforward.evaluation.drift import Drift
from pastforward.evaluation.samples import ImageSamples, Samples, draw_samples
from pastforward.evaluation.score import Score
from pastforward.evaluation.standalone import Evaluation, evaluate, quick_loss
from pastforward.evaluation.summary import RunSummary

__all__ = [
    "Collapse",
    "Drift",
    "Evaluation",
    "ImageSamples",
    "RunSummary",
    "Samples",
    "Score",
    "draw_samples",
    "effective_rank",
    "evaluate",
    "quick_loss",
]
