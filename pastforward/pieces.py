"""L0. One sequence on several processes: each has a piece of its steps.

What a piece needs of the others is little: sums for means over the whole sequence, and one state of
a linear recurrence from every process. Both have gradients. Everything else of a step is local, or
is computed again from inputs, which all processes have.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from typing_extensions import override

Total = Callable[[Tensor], Tensor]
"""The sum over all pieces of what each has; the identity for whole sequences."""


def own(tensor: Tensor) -> Tensor:
    """The `Total` of whole sequences."""
    return tensor


@dataclass(frozen=True)
class Piece:
    """Steps begin + 1 .. end of a sequence, and thus memories m_begin .. m_end."""

    number: int
    """Which of the pieces this is, from 0."""
    ends: tuple[int, ...]
    """The last step of each of them."""
    group: Any = None
    """The processes that have them, in order; None where there is one."""

    @property
    def begin(self) -> int:
        """The last step of the piece before; 0 for the first."""
        return self.ends[self.number - 1] if self.number else 0

    @property
    def end(self) -> int:
        """The last step of this one."""
        return self.ends[self.number]

    def of(self, sequence: Tensor) -> Tensor:
        """Steps begin + 1 .. end of `[B, T, ...]`, whose first step is 1."""
        return sequence[:, self.begin : self.end]

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over all pieces, with gradient."""
        return tensor if self.group is None else _Sum.apply(tensor, self.group)  # pyright: ignore

    def gathered(self, tensor: Tensor) -> Tensor:
        """The tensors of all pieces, stacked, with gradient."""
        if self.group is None:
            return tensor.unsqueeze(0)
        mine = torch.zeros(len(self.ends), *tensor.shape, dtype=tensor.dtype, device=tensor.device)
        return self.total(mine.index_copy(0, mine.new_tensor([self.number]).long(), tensor[None]))


def cut(length: int, count: int) -> tuple[int, ...]:
    """The last steps of `count` pieces of about equal length."""
    return tuple(length * (n + 1) // count for n in range(count))


class _Sum(torch.autograd.Function):
    """The gradient of a sum that all processes use is the sum of their gradients."""

    @staticmethod
    @override
    def forward(ctx: Any, tensor: Tensor, group: Any) -> Tensor:  # pyright: ignore
        ctx.group, found = group, tensor.clone()
        dist.all_reduce(found, group=group)
        return found

    @staticmethod
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore
        found = gradient.contiguous().clone()
        dist.all_reduce(found, group=ctx.group)
        return found, None
