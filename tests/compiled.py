"""Run as a script: exit code 0 where a compiled step is the eager step, gradients too.

A process of its own, because torch.compile can't trace through the checks of shapes. Generating
code takes a minute and a half on two cores, so the captured graph is run eagerly; name another
backend to try it: `python tests/compiled.py inductor`.
"""

import sys

import torch
from tiny import assert_same, descend, gradients, pair

from pastforward.methods import SMTConfig
from pastforward.methods.smt import JointSMT


def main(backend: str) -> None:
    torch.set_num_threads(1)
    own, teacher, data = pair(encoder="linear", cell="elman")
    config = SMTConfig(future=4, uniformity=0.1)
    method, sides = JointSMT(own, teacher, config), []

    def compiled(compute):
        return torch.compile(compute, dynamic=False, fullgraph=True, backend=backend)

    for transform in (lambda compute: compute, compiled):
        method.compile(transform)
        losses = descend(method, data)
        sides.append([losses.total.detach(), *gradients(own), *gradients(teacher)])
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert_same(*sides)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "aot_eager")
