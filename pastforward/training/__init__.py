"""L4. Training: one loop for all methods, runs that resume, ranks."""

from pastforward.training.folder import Existing, RunFolder
from pastforward.training.loop import Fit, NonFiniteLoss, Progress, fit
from pastforward.training.run import Interrupted, Run, Watcher, stop_signals

__all__ = [
    "Existing",
    "Fit",
    "Interrupted",
    "NonFiniteLoss",
    "Progress",
    "Run",
    "RunFolder",
    "Watcher",
    "fit",
    "stop_signals",
]
