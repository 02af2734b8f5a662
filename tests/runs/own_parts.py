"""Components of a user's own, named as `own_parts:Name`."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from pastforward.cells.base import Cell
from pastforward.data.codec import SymbolCodec
from pastforward.data.source import Source
from pastforward.memory import rms_norm
from pastforward.methods import MethodEntry
from pastforward.methods.bptt import TruncatedBPTT
from pastforward.recipes.tuned import copy
from pastforward.teacher.encoders.base import Encoder
from pastforward.types import Batch, Signature, Tokens


@dataclass(frozen=True)
class LeakConfig:
    leak: float = 0.5
    """How much of a memory is kept."""


class LeakyCell(Cell):
    Config = LeakConfig

    def __init__(self, memory, inputs, config):
        super().__init__(memory, inputs)
        self.leak, self.input = config.leak, nn.Linear(inputs, memory.size)

    def transition(self, m, e):
        return self.leak * m + self.input(e).view(m.shape)


@dataclass(frozen=True)
class SumConfig:
    gain: float = 1.0


class SumEncoder(Encoder):
    """Sums of embedded inputs."""

    Config = SumConfig

    def __init__(self, signature, memory, config, own):
        super().__init__()
        self.memory, self.gain = memory, own.gain
        self.embed = nn.Embedding(signature.inputs.size, memory.size)
        self.empty = nn.Parameter(torch.randn(1, 1, memory.size))

    def targets(self, x):
        first = self.empty.expand(len(x), 1, -1)
        m = torch.cat([first, first + self.gain * self.embed(x).cumsum(1)], 1)
        return rms_norm(m.unflatten(-1, (self.memory.slots, self.memory.width)))


class ShortBPTT(TruncatedBPTT):
    facts = MethodEntry("own_parts:ShortBPTT", summary="gradients over two steps", lr_of="bptt")

    def __init__(self, network, teacher, config):
        super().__init__(network, 2)


class Alternating(Source):
    """0 1 0 1 ..., begun by either."""

    def __init__(self, length: int = 6):
        signature = Signature(Tokens(2), Tokens(2), length)
        super().__init__("alternating", signature, SymbolCodec(2))

    def _draw(self, seed, size):
        first = np.random.default_rng(seed).integers(0, 2, (size, 1))
        x = torch.from_numpy((first + np.arange(self.signature.length + 1)) % 2)
        return Batch(x[:, :-1], x[:, 1:], torch.ones(size, self.signature.length, dtype=torch.bool))

    def batch(self, seed, index, size):
        return self._draw([abs(seed), abs(index), seed < 0, index < 0], size)

    def held_out(self, split, size, limit):
        yield self._draw({"valid": 1, "test": 2}[split], min(size, limit))

    def references(self):
        return {"uniform": float(np.log(2))}

    def describe(self):
        return {"kind": "alternating", "sequences": {"train": None}}


def short_copy(strategy="smt+dmt", cell="mlp"):
    return replace(copy(strategy, cell, 8), seed=7)
