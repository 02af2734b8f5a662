"""L4. Training: one loop for all methods, runs that resume, ranks."""

from pastforward.training.check import check
from pastforward.training.folder import Existing, RunFolder
from pastforward.training.loop import Fit, NonFiniteLoss, Progress, fit
from pastforward.training.networks import build_networks
from pastforward.training.progress import Bars, Lines, Silent, make_watcher
from pastforward.training.run import Interrupted, Run, Watcher
from pastforward.training.stopping import StopRequest, stop_signals

__all__ = [
    "Bars", "Existing", "Fit", "Interrupted", "Lines", "NonFiniteLoss", "Progress", "Run",
    "RunFolder", "Silent", "StopRequest", "Watcher", "build_networks", "check", "fit",
    "make_watcher", "stop_signals",
]  # fmt: skip
