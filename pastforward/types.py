"""L0. The symbols of the method, once, and the few types that everything shares.

    symbol   shape                 meaning
    B, T                           sequences in a batch, steps in a sequence
    x_t      [B, T] or [B, T, C]   inputs: tokens or vectors of C channels, t = 1..T
    y_t      [B, T] or [B, T, C]   outputs; absent where the mask is False
    m_t      [..., K, D]           memory after x_1..x_t: K slots of width D, RMS-normalised over D
    m_0      [K, D]                empty memory, learned
    e_t      [..., E]              embedded input
    f        (m_{t-1}, e_t) -> m_t cell
    g        m_t -> [..., P]       readout: the P output parameters of p(y_t)
    E        x -> [B, T+1, K, D]   encoder: target memories of t = 0..T
    D        m_t, x -> [..., F, P] decoder: output parameters of y_t..y_{t+F-1}
    delta_t  [T]                   drift: MSE of the student's own memory to its target

                  x_1       x_2              x_T
                   |         |                |
        m_0 --f-> m_1 --f-> m_2 -- ... --f-> m_T
                   |g        |g               |g
                  y_1       y_2              y_T        (autoregressive: y_t = x_{t+1})

So `memories[:, t]` is m_t, `x[:, t - 1]` is x_t and `y[:, t - 1]` is y_t.
"""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

Memory = Float[Tensor, "... slots width"]
"""One memory m_t, or several with any leading axes."""
Memories = Float[Tensor, "batch steps slots width"]
"""Memories of several steps of each sequence: all of m_0..m_T, or some."""


@dataclass(frozen=True)
class Tokens:
    """Symbols 0..size-1."""

    size: int


@dataclass(frozen=True)
class Vectors:
    """Real vectors of `width` channels."""

    width: int


@dataclass(frozen=True)
class Flags:
    """`width` independent yes-or-no answers, 0.0 or 1.0: several labels at once. Outputs alone."""

    width: int


@dataclass(frozen=True)
class Quantiles:
    """Real vectors of `width` channels by their quantiles at `levels`. Outputs alone."""

    width: int
    levels: tuple[float, ...]


Kind = Tokens | Vectors | Flags | Quantiles


@dataclass(frozen=True)
class Signature:
    """What a network reads and writes: kinds of x_t and y_t, and T, the length of a sequence."""

    inputs: Kind
    outputs: Kind
    length: int
    """Of the longest sequence; batches of shorter ones have fewer steps."""
    class_weights: tuple[float, ...] | None = None
    """Weight of each class of y_t in training losses, of mean 1; evaluation weighs all alike."""


class Batch(NamedTuple):
    """B sequences: x `[B, T]` (or `[B, T, C]`), y alike, mask `[B, T]`, True where y_t counts.

    A shorter sequence is padded at its end. What follows the last output that counts is padding: it
    never enters a loss or a figure.
    """

    x: Tensor
    y: Tensor
    mask: Tensor


class BatchWithTargets(NamedTuple):
    """A `Batch` and its target memories `[B, T+1, K, D]`."""

    x: Tensor
    y: Tensor
    mask: Tensor
    targets: Tensor


class BatchWithRollout(NamedTuple):
    """A `Batch`, its target memories and the student's own memories, both `[B, T+1, K, D]`."""

    x: Tensor
    y: Tensor
    mask: Tensor
    targets: Tensor
    own: Tensor


AnyBatch = Batch | BatchWithTargets | BatchWithRollout


@dataclass(frozen=True)
class MemoryShape:
    """K slots of width D."""

    slots: int
    width: int

    @property
    def size(self) -> int:
        """K * D, the numbers that a memory holds."""
        return self.slots * self.width
