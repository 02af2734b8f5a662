"""Run as a module: `pastforward` with the arguments given, up to its first optimiser step."""

import os
import sys

from pastforward.cli.main import main
from pastforward.training.loop import Fit

_step = Fit.step


def _end_here(self: Fit) -> dict[str, float]:
    """One step, then the end of the process."""
    _step(self)
    os._exit(0)


if __name__ == "__main__":
    Fit.step = _end_here
    sys.exit(main(sys.argv[1:]))
