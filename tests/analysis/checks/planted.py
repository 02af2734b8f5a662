"""A faultless student and teacher made by hand, in which faults are planted one at a time.

The task: y_t = x_{t-2}. A memory is a shift register of the last three inputs, one-hot; encoder and
cell are exact, so that the pair needs no training and every figure is known.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from pastforward.analysis.checks.context import CheckContext, CheckResult, History
from pastforward.analysis.checks.table import CHECKS, examine
from pastforward.cells.base import Cell
from pastforward.data.codec import SymbolCodec
from pastforward.data.source import Source
from pastforward.student import Student
from pastforward.teacher.decoder import Decoder
from pastforward.teacher.encoders.base import Encoder
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch, MemoryShape, Signature, Tokens

SYMBOLS, DELAY, LENGTH = 4, 2, 12
SHAPE = MemoryShape(DELAY + 1, SYMBOLS)
SIGNATURE = Signature(Tokens(SYMBOLS), Tokens(SYMBOLS), LENGTH)
SHARP = 2.0
"""Logits of what is right are 2 * SHARP: a loss of 0.053 nats; the reference is ln 4 = 1.386."""

Change = Callable[[Tensor], Tensor]


def as_it_is(tensor: Tensor) -> Tensor:
    return tensor


class Delay(Source):
    """y_t = x_{t - delay}; `known`: held-out sequences are training ones."""

    def __init__(
        self, delay: int = DELAY, references: dict[str, float] | None = None,
        known: bool = False, noise: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__("delay", SIGNATURE, SymbolCodec(SYMBOLS))
        self.delay, self.known, self.noise = delay, known, noise
        chance = math.log(SYMBOLS)
        self.given = {"uniform": chance, "best": 0.0} if references is None else references

    def batch(self, seed, index, size):
        return self.drawn(1000 + index, size)

    def held_out(self, split, size, limit):
        for i in range(0, limit, size):
            count = min(size, limit - i)
            known = self.drawn(1000 + i // size, count)
            yield known if self.known else self.drawn(i, count, self.noise)

    def drawn(self, seed: int, size: int, noise: float = 0.0) -> Batch:
        """A share `noise` of the outputs is random, so that nothing predicts them."""
        random = np.random.default_rng(seed)
        x = torch.from_numpy(random.integers(0, SYMBOLS, (size, LENGTH)))
        y = x.roll(self.delay, 1)
        anew = torch.from_numpy(random.integers(0, SYMBOLS, y.shape))
        y = torch.where(torch.from_numpy(random.random(y.shape) < noise), anew, y)
        mask = torch.arange(LENGTH).expand(size, -1) >= self.delay
        return Batch(x, y, mask.clone())

    def references(self):
        return self.given

    def describe(self):
        return {}


def register(m: Tensor, e: Tensor) -> Tensor:
    """The next memory: e comes in, the oldest input leaves."""
    e = e.unsqueeze(-2).expand(*m.shape[:-2], 1, -1)
    return torch.cat([e, m[..., :-1, :]], -2)


class Register(Cell):
    """`change(m, next)` may spoil the next memory."""

    def __init__(self, change: Callable[[Tensor, Tensor], Tensor] = lambda m, after: after) -> None:
        super().__init__(SHAPE, SYMBOLS)
        self.change = change

    def transition(self, m, e):
        return self.change(m, register(m, e))


class OneHot(nn.Module):
    """`change` may spoil embedded inputs `[..., T, E]`."""

    def __init__(self, change: Change = as_it_is) -> None:
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(2.0 * nn.functional.one_hot(x, SYMBOLS).float())


class Oldest(nn.Module):
    """Reads the last slot; `change` may spoil the logits."""

    def __init__(self, change: Change = as_it_is) -> None:
        super().__init__()
        self.sharp = nn.Parameter(torch.tensor(SHARP))
        self.change = change

    def forward(self, m):
        return self.change(self.sharp * m[..., -1, :])


class Exact(Encoder):
    """The register itself; `change` may spoil the targets `[B, T+1, K, D]`."""

    def __init__(self, change: Change = as_it_is) -> None:
        super().__init__()
        self.change, self.embed = change, OneHot()

    def targets(self, x):
        memories = [torch.zeros(len(x), SHAPE.slots, SHAPE.width)]
        for e in self.embed(x).unbind(1):
            memories.append(register(memories[-1], e))
        return self.change(torch.stack(memories, 1))


class Future(Decoder):
    """y_t, y_{t+1}, .. from the slots, oldest first, and then from the inputs that follow."""

    def __init__(self, ahead: int = 0, remembers: bool = True, readout: nn.Module | None = None):
        """`ahead`: how many inputs too early; without `remembers` the slots are not read."""
        nn.Module.__init__(self)
        self.readout, self.embed = readout or Oldest(), OneHot()  # type: ignore[assignment]
        self.ahead, self.remembers = ahead, remembers

    def forward(self, m, x):
        known = torch.cat([m.flip(2) * self.remembers, self.embed(x)], 2)
        known = torch.cat([known[:, :, self.ahead :], known[:, :, : self.ahead]], 2)
        later = SHARP * known[:, :, 1 : x.shape[2] + 1]
        return torch.cat([self.readout(m).unsqueeze(2), later], 2)


def student(
    cell: Cell | None = None, embed: nn.Module | None = None, readout: nn.Module | None = None
) -> Student:
    own = Student(SIGNATURE, cell or Register())
    own.embed, own.readout = embed or OneHot(), readout or Oldest()  # type: ignore[assignment]
    own.empty.data.zero_()
    return own


def teacher(encoder: Encoder | None = None, decoder: Decoder | None = None) -> Teacher:
    return Teacher(SIGNATURE, SHAPE, encoder or Exact(), decoder or Future())


def examined(
    own: Student | None = None, taught: Teacher | None = None, source: Source | None = None,
    history: History | None = None,
) -> dict[str, CheckResult]:  # fmt: skip
    """Results by check; what is not given is faultless."""
    context = CheckContext(own or student(), taught or teacher(), source or Delay(), history)
    return {result.check: result for result in examine(context)}


def wrong(found: dict[str, CheckResult]) -> set[str]:
    assert found.keys() == CHECKS.keys()
    return {name for name, result in found.items() if result.level in ("failed", "warning")}
