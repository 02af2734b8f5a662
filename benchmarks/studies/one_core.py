"""`pastforward` on one thread, with budgets in seconds of CPU time.

    python -m benchmarks.studies.one_core compare copy:128 --methods bptt-curriculum --seconds 300

Seconds of CPU time are those of an idle core, whatever else the machine does.
"""

import sys
import time

NAME = "python -m benchmarks.studies.one_core"


def count_cpu_seconds() -> None:
    """Let this process train on one thread and count its CPU time."""
    import torch

    torch.set_num_threads(1)
    time.perf_counter = time.process_time


if __name__ == "__main__":
    from pastforward.cli.main import main

    count_cpu_seconds()
    sys.exit(main())
