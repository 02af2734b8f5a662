"""L6. What writes how a run goes elsewhere, by the name that the command line has for it."""

from pastforward.config import RunConfig
from pastforward.files import to_json
from pastforward.runs.places import RUNS
from pastforward.training.callbacks import Callback, TensorBoard, Tracker
from pastforward.training.distributed import rank


def tracked(by: str | None, name: str, config: RunConfig) -> tuple[Callback, ...]:
    """What writes losses and samples to 'tensorboard', 'trackio' or 'wandb'; nothing when None.

    The first rank writes. Raises `UsageError` where that isn't installed.
    """
    if by is None or rank() != 0:
        return ()
    if by == "tensorboard":
        return (TensorBoard(RUNS / by / name),)
    return (Tracker(by, name, to_json(config)),)
