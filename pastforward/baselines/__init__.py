"""L2. Peers: other networks on the same data, loop and budget, of the same size as a student."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch

from pastforward.baselines.attention import HEADS, Attention, build_transformer
from pastforward.baselines.base import Baseline, RecurrentBaseline
from pastforward.baselines.mamba2 import HEAD, Mamba2
from pastforward.baselines.mingru import MinGRU
from pastforward.baselines.s4d import S4D
from pastforward.baselines.sizing import BaselineBuilder, fitting_width, parameters
from pastforward.cells import CELLS
from pastforward.config import StudentConfig
from pastforward.errors import UsageError, nearest
from pastforward.student import Student, build_student
from pastforward.types import Signature

Network = Student | Baseline
"""What a run trains and keeps: `signature`, and `predict(x)` for parameters of y_1..y_T."""

DEPTH = 3
"""Layers of a peer."""


class _Kind(NamedTuple):
    build: BaselineBuilder
    step: int = 1  # widths are multiples of it


def _recurrent(layer: type[S4D] | type[MinGRU]) -> BaselineBuilder:
    return lambda signature, width, hidden: RecurrentBaseline(
        signature, width, hidden, [layer(width) for _ in range(DEPTH)]
    )


BASELINES: dict[str, _Kind] = {
    "s4d": _Kind(_recurrent(S4D)),
    "mingru": _Kind(_recurrent(MinGRU)),
    "mamba2": _Kind(partial(Mamba2, depth=DEPTH), HEAD // 2),
    "attention": _Kind(partial(Attention, depth=DEPTH), 2 * HEADS),
}
"""Names that stand where a student's cell is asked for."""


def build_network(config: StudentConfig, signature: Signature) -> Network:
    """A student with a cell of the table, or a peer with as many parameters as one.

    Raises `UsageError` for what doesn't fit or is not installed.
    """
    if config.cell in BASELINES:
        kind = BASELINES[config.cell]
        wanted = wanted_parameters(config, signature)
        width = fitting_width(*kind, signature, config, wanted)
        return kind.build(signature, width, config.hidden)
    if config.cell not in CELLS:
        known = [*CELLS, *BASELINES]
        raise UsageError(f"There is no cell '{config.cell}'; {nearest(config.cell, known)}.")
    return build_student(config, signature)


def wanted_parameters(config: StudentConfig, signature: Signature) -> int:
    """What the student has whose size a peer takes: the same config with the cell `like`."""
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        return parameters(build_student(replace(config, cell=config.like), signature))


__all__ = [
    "DEPTH",
    "PEERS",
    "S4D",
    "Attention",
    "Mamba2",
    "MinGRU",
    "Network",
    "Peer",
    "RecurrentPeer",
    "build_network",
    "build_transformer",
    "parameters",
    "wanted_parameters",
]  # fmt: skip
