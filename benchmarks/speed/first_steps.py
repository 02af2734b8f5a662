"""Run as a module: as `first_step`, but with steps after it, and a JSON object about the process.

python -m benchmarks.speed.first_steps STEPS train ...
"""

import json
import os
import sys
import time

from pastforward.cli.main import main
from pastforward.training.loop import Fit

_step, _done, _begun = Fit.step, [0], time.perf_counter()
_facts: dict[str, float] = {}


def _counted(self: Fit) -> dict[str, float]:
    """A step; after the last one the end of the process."""
    found = _step(self)
    _done[0] += 1
    if _done[0] == 1:
        _facts.update(seconds=time.perf_counter() - _begun, cpu=time.process_time())
    if _done[0] == int(sys.argv[1]):
        print(json.dumps(_facts | _memory()), flush=True)
        os._exit(0)
    return found


def _memory() -> dict[str, float]:
    """Peak resident memory in MiB, and what is resident at the end."""
    with open("/proc/self/status", encoding="utf-8") as file:
        found = dict(line.split(":", 1) for line in file)
    return {
        name: int(found[key].split()[0]) / 1024
        for name, key in (("peak", "VmHWM"), ("anonymous", "RssAnon"), ("mapped", "RssFile"))
    }


if __name__ == "__main__":
    Fit.step = _counted
    sys.exit(main(sys.argv[2:]))
