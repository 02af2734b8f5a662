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

import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.errors import UsageError

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
class StudentT:
    """Real vectors of `width` channels with heavier tails than a Gaussian's. Outputs alone."""

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


Kind = Tokens | Vectors | StudentT | Flags | Quantiles


def not_finite(x: Tensor) -> bool:
    """Does it hold NaN or infinity? At half the cost of `isfinite` for a single step."""
    return bool((x - x).any())  # 0 for every finite number, else NaN


_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8)


def checked(kind: Kind, x: Tensor, like: Tensor, what: str = "Inputs") -> Tensor:
    """x `[...]` of `kind` (`[..., C]` of vectors) as networks read it, on the device of `like`.

    Tokens become int64, numbers the type of `like`. Raises `UsageError` for tokens outside 0..V-1
    or of a type other than signed integers, and for numbers that are not finite.
    """
    if isinstance(kind, Tokens):
        if x.dtype not in _WHOLE:
            raise UsageError(
                f"{what} are {x.dtype} where tokens are read; give whole numbers as torch.int64."
            )
        low, high = map(int, x.aminmax()) if x.numel() else (0, 0)
        if low < 0 or high >= kind.size:
            raise UsageError(
                f"{what} hold tokens from {low} to {high} where 0 to {kind.size - 1} are known; "
                "give tokens of the data that the network was made for."
            )
        return x.to(like.device, torch.int64, non_blocking=True)
    if x.is_complex() or x.dtype == torch.bool or x.shape[-1:] != (kind.width,):
        raise UsageError(
            f"{what} are {x.dtype} of shape {list(x.shape)}; give real numbers [..., {kind.width}]."
        )
    found = x.to(like.dtype)
    if not_finite(found):  # where x lies: a look at an accelerator would wait for it
        raise UsageError(
            f"{what} hold NaN, infinity or numbers beyond {found.dtype}; leave such steps out or "
            "fill them."
        )
    return found.to(like.device, non_blocking=True)


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


def checked_batch(signature: Signature, batch: AnyBatch, like: Tensor) -> AnyBatch:
    """The batch of a source with inputs as networks read them; `UsageError` as `checked` raises.

    Outputs that don't count may hold anything.
    """
    x = checked(signature.inputs, batch.x, like, "Inputs of the data")
    checked(signature.outputs, batch.y[batch.mask], like, "Outputs of the data")
    return batch._replace(x=x)


@dataclass(frozen=True)
class MemoryShape:
    """K slots of width D."""

    slots: int
    width: int

    @property
    def size(self) -> int:
        """K * D, the numbers that a memory holds."""
        return self.slots * self.width
